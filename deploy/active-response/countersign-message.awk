# Reads bytes as decimal numbers and prints what the scripts use of a message of execd, one item a
# line: `command C`, `program P`, `argument A`, `data KEY VALUE`; or `error WHY` alone. Everything is
# read before anything is printed. Strict, because two readers that differ are a way around a check.
# MAX is the most bytes, without the end of the line.

function stop(why) { if (!bad) bad = why; at = size + 1; return "" }
function space() { while (b[at] == 32 || b[at] == 9) at++ }
function char(code) {
    if (code < 32 || code == 127) return stop("a control character in a text")
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536)
        return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64,
        128 + int(code / 64) % 64, 128 + code % 64)
}
function utf8(   code, more, least) {
    code = b[at++]
    if (code < 128) return char(code)
    if (code >= 194 && code < 224) { more = 1; least = 128; code -= 192 }
    else if (code >= 224 && code < 240) { more = 2; least = 2048; code -= 224 }
    else if (code >= 240 && code < 245) { more = 3; least = 65536; code -= 240 }
    else return stop("bytes that are no UTF-8")
    while (more-- > 0) {
        if (b[at] < 128 || b[at] > 191) return stop("bytes that are no UTF-8")
        code = code * 64 + b[at++] - 128
    }
    if (code < least || code > 1114111 || (code >= 55296 && code < 57344))
        return stop("bytes that are no UTF-8")
    # C1 controls and the line separators too: some readers of logs end a line there.
    if (code < 160 || code == 8232 || code == 8233) return stop("a control character in a text")
    return char(code)
}
function hex4(   code, i, digit) {
    for (i = 0; i < 4; i++) {
        digit = index("0123456789abcdef", tolower(sprintf("%c", b[at] + 0))) - 1
        if (at > size || b[at] < 48 || digit < 0) { stop("an escape that is none of JSON"); return -1 }
        code = code * 16 + digit
        at++
    }
    return code
}
function escape(   c, code, low) {
    c = b[at++]
    if (c == 34 || c == 92 || c == 47) return sprintf("%c", c)
    if (c != 117) {
        if (c == 98 || c == 102 || c == 110 || c == 114 || c == 116)
            return stop("a control character in a text")
        return stop("an escape that is none of JSON")
    }
    code = hex4()
    if (code >= 56320 && code < 57344) return stop("half of a surrogate pair")
    if (code >= 55296 && code < 56320) {
        if (b[at] != 92 || b[at + 1] != 117) return stop("half of a surrogate pair")
        at += 2
        low = hex4()
        if (low < 56320 || low > 57343) return stop("half of a surrogate pair")
        code = 65536 + (code - 55296) * 1024 + low - 56320
    }
    if ((code > 126 && code < 160) || code == 8232 || code == 8233)
        return stop("a control character in a text")
    return char(code)
}
function text(   said) {
    if (b[at] != 34) return stop("no text where one must stand")
    at++
    while (at <= size && b[at] != 34) {
        if (b[at] == 92) { at++; said = said escape() }
        else said = said utf8()
    }
    if (at > size) return stop("a text without an end")
    at++
    return said ""
}
function number(   said) {
    while (at <= size && index("+-.0123456789Ee", sprintf("%c", b[at]))) said = said sprintf("%c", b[at++])
    if (said !~ /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$/) stop("neither a value nor a number")
}
function word(w,   i) {
    for (i = 1; i <= length(w); i++)
        if (sprintf("%c", b[at++] + 0) != substr(w, i, 1)) { stop("neither a value nor a number"); return }
}
function object(path, depth,   key) {
    at++; space()
    if (b[at] == 125) { at++; return }
    while (!bad) {
        space(); key = text(); space()
        if (bad) return
        if ((path SEP key) in type) { stop("a key that stands twice"); return }
        if (b[at] != 58) { stop("no colon after a key"); return }
        at++
        if (path == DATA) keys[++keys_count] = key
        value(path SEP key, depth); space()
        if (b[at] == 44) { at++; continue }
        if (b[at] != 125) stop("an object without an end")
        at++; return
    }
}
function array(path, depth,   n) {
    at++; space()
    if (b[at] == 93) { at++; return }
    while (!bad) {
        n++; value(path SEP n, depth); space()
        if (path == ARGUMENTS) arguments = n
        if (b[at] == 44) { at++; continue }
        if (b[at] != 93) stop("an array without an end")
        at++; return
    }
}
function value(path, depth) {
    if (depth > 16) { stop("values nested too deep"); return }
    space()
    if (b[at] == 34) { type[path] = "text"; what[path] = text() }
    else if (b[at] == 123) { type[path] = "object"; object(path, depth + 1) }
    else if (b[at] == 91) { type[path] = "array"; array(path, depth + 1) }
    else if (b[at] == 116) { type[path] = "bool"; word("true") }
    else if (b[at] == 102) { type[path] = "bool"; word("false") }
    else if (b[at] == 110) { type[path] = "null"; word("null") }
    else { type[path] = "number"; number() }
}
function must(path, kind, called) {
    if (!bad && type[path] != kind) bad = called " is no " kind
}
BEGIN {
    # No key can hold it, so no key can pass for a path.
    SEP = "\n"
    PARAMETERS = SEP "parameters"; ARGUMENTS = PARAMETERS SEP "extra_args"
    ALERT = PARAMETERS SEP "alert"; DATA = ALERT SEP "data"
}
{ for (i = 1; i <= NF; i++) if (size < MAX + 2) b[++size] = $i + 0 }
END {
    if (b[size] == 10) size--
    if (size == 0) bad = "no line"
    else if (size > MAX) bad = "a line of more than " MAX " bytes"
    else {
        at = 1
        value("", 1); space()
        if (!bad && at <= size) bad = "something after the JSON"
    }
    must("", "object", "the message")
    must(SEP "version", "number", "version")
    must(SEP "origin", "object", "origin")
    must(SEP "command", "text", "command")
    must(PARAMETERS, "object", "parameters")
    if (ARGUMENTS in type) must(ARGUMENTS, "array", "parameters.extra_args")
    if (ALERT in type) must(ALERT, "object", "parameters.alert")
    if (DATA in type) must(DATA, "object", "parameters.alert.data")
    if ((PARAMETERS SEP "program") in type) must(PARAMETERS SEP "program", "text", "parameters.program")
    for (i = 1; i <= arguments; i++) must(ARGUMENTS SEP i, "text", "parameters.extra_args[" i - 1 "]")
    for (i = 1; i <= keys_count; i++) {
        if (!bad && keys[i] !~ /^[a-z0-9_]+$/) bad = "a key of alert.data that no script knows"
        must(DATA SEP keys[i], "text", "parameters.alert.data." keys[i])
    }
    if (bad) { print "error " bad; exit }
    print "command " what[SEP "command"]
    print "program " what[PARAMETERS SEP "program"]
    for (i = 1; i <= arguments; i++) print "argument " what[ARGUMENTS SEP i]
    for (i = 1; i <= keys_count; i++) print "data " keys[i] " " what[DATA SEP keys[i]]
}
