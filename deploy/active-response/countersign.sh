# shellcheck shell=sh
# What Countersign's active-response scripts have in common. It is sourced, never run.
#
# A script sets
#   SCRIPT      its name; under that name and `-undo` it undoes
#   DO, UNDO    the words for what it does and undoes; no UNDO where nothing can be undone
#   KEYS        the keys of alert.data that it takes, each as $data_KEY
# defines `check`, which sets `target` or fails, and `act`, and calls `countersign_run "$@"`.

# The scripts report this version; a broker trusts the versions that it knows.
VERSION=1

PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset IFS CDPATH
umask 077
set -u

# execd runs one script at a time and waits for it, so every run ends by itself. Seconds.
DEADLINE=4
# Countersign's messages are shorter than 6 KiB. Bytes, without the end of the line.
MESSAGE_MAX=16384

name=${0##*/}
bin=$(cd "${0%/*}" && pwd -P) || exit 1
home=${bin%/active-response/bin}
[ "$home" != "$bin" ] || exit 1
state=$home/active-response/countersign

# What the report says before more is known.
command='' tag='' request='' action='' target='' extra=''

# --- Messages --------------------------------------------------------------------------------

# Prints the items of one message of execd. It never reads to the end of the input: execd keeps it
# open. sed reads byte by byte, so that the next message stays where it is.
message() {
    # In the foreground it stays in the group of processes that the deadline ends.
    timeout --foreground 2 sed -u 1q | head -c $((MESSAGE_MAX + 2)) | od -An -v -tu1 |
        awk -v MAX="$MESSAGE_MAX" -f "$bin/countersign-message.awk"
}

# A text, which holds no control characters, as it stands between quotes in JSON.
json_text() { printf '%s' "$1" | sed 's/["\\]/\\&/g'; }

# is_sha256 TEXT: 64 hexadecimal digits in lower case, or nothing.
is_sha256() {
    case $1 in *[!0-9a-f]*) return 1 ;; esac
    [ ${#1} = 64 ] || [ -z "$1" ]
}

# --- Reports ---------------------------------------------------------------------------------

# report RESULT VERIFIED [REASON]: what the log will say. The last report of a run counts.
report() {
    reason=$(printf '%s' "${3-}" | tr -c '\040-\176' ' ' | cut -c1-300)
    printf 'R {"countersign":{"script":"%s","version":"%s","tag":"%s","action":"%s","target":"%s","result":"%s","verified":%s,"reason":"%s"%s}}\n' \
        "$name" "$VERSION" "$tag" "$action" "$(json_text "$target")" "$1" "$2" \
        "$(json_text "$reason")" "$extra" >&3
}

# fail REASON: ends the run.
fail() {
    report failed false "$1"
    exit 1
}

# The input in the form in which Wazuh's own scripts log theirs, so that rule 657 says that this
# script was started, with or without the rules of Countersign. Made of what was checked.
started() {
    printf 'S {"version":1,"origin":{"name":"%s","module":"wazuh-execd"},"command":"%s","parameters":{"extra_args":[%s],"alert":{"data":{%s}},"program":"active-response/bin/%s"}}\n' \
        "$name" "$command" "$arguments_json" "$data_json" "$name" >&3
}

# Writes the report of the run to Wazuh's log. $1: all that the run reported.
write_log() {
    printf '%s\n' "$1" | name=$name version=$VERSION now=$(date '+%Y/%m/%d %H:%M:%S') awk '
        /^S / { started = substr($0, 3) }
        /^R / { result = substr($0, 3) }
        END {
            name = ENVIRON["name"]
            if (result == "")
                result = "{\"countersign\":{\"script\":\"" name "\",\"version\":\"" ENVIRON["version"] \
                    "\",\"tag\":\"\",\"action\":\"\",\"target\":\"\",\"result\":\"failed\"," \
                    "\"verified\":false,\"reason\":\"it did not read its input in time\"}}"
            if (started != "") print ENVIRON["now"] " active-response/bin/" name ": " started
            print ENVIRON["now"] " " name ": " result
        }' | dd of="$home/logs/active-responses.log" bs=64k iflag=fullblock oflag=append,nofollow \
        conv=notrunc 2>/dev/null
}

# call COMMAND...: runs it, and keeps its first complaint in `why`.
call() {
    why=$("$@" 2>&1 >/dev/null </dev/null) && return
    why="$1: ${why%%"$newline"*}"
    return 1
}

# --- State -----------------------------------------------------------------------------------

# Takes the lock of all scripts, and makes the folder of what they remember.
open_state() {
    own_folder "$state"
    exec 9>"$state/.lock"
    flock -w 2 9 || fail 'another response still runs'
}

# own_folder PATH: makes a folder that only root can look into.
own_folder() {
    [ -d "$1" ] || mkdir -m 700 "$1" 2>/dev/null
    [ "$(stat -c '%F %u %a' "$1" 2>/dev/null)" = 'directory 0 700' ] ||
        fail "$1 is no folder of root's alone (mode 700)"
}

# A claim is what one request holds: the effect stays until the last claim on a target is gone.
# It is a file $state/ACTION/TARGET/REQUEST, which appears and goes at once.
#
# An effect that ends with the machine's run, such as a firewall rule, takes its claims with it.
read -r boot_id </proc/sys/kernel/random/boot_id

# claim [LINE...]: records the claim of this request, with what the script needs to know of it.
claim() {
    own_folder "$claims"
    own_folder "$claims/$key"
    if ! printf '%s\n' "$boot_id" "$@" >"$claims/$key/.new" ||
        ! mv "$claims/$key/.new" "$claims/$key/$request"; then
        fail 'the claim could not be written'
    fi
}

# claims_of KEY: the requests that hold it.
claims_of() {
    for claim_file in "$claims/$1"/*; do
        [ ! -f "$claim_file" ] || printf '%s\n' "${claim_file##*/}"
    done
}

# claimed_keys: the targets that somebody holds.
claimed_keys() {
    for claim_folder in "$claims"/*; do
        [ -z "$(claims_of "${claim_folder##*/}")" ] || printf '%s\n' "${claim_folder##*/}"
    done
}

# Removes the claims that an earlier run of the machine left.
forget_earlier_boots() {
    for claim_file in "$claims"/*/*; do
        [ -f "$claim_file" ] || continue
        read -r claim_boot <"$claim_file" || claim_boot=''
        [ "$claim_boot" = "$boot_id" ] || rm -f "$claim_file"
    done
}

# release: gives up the claims that this run undoes. Prints them.
release() {
    for claim_request in $(claims_of "$key"); do
        [ -z "$undone_request" ] || [ "$claim_request" = "$undone_request" ] || continue
        rm -f "$claims/$key/$claim_request"
        printf '%s\n' "$claim_request"
    done
    rm -f "$claims/$key/.new"
    rmdir "$claims/$key" 2>/dev/null
}

# Does or undoes with claims. The script defines `enforce`, which makes the effect what the claims
# say, and `stands` and `gone`, which read it back.
act_by_claims() {
    claims=$state/$DO
    key=$target
    own_folder "$claims"
    if $undoing; then undo_by_claim; else do_by_claim; fi
}

do_by_claim() {
    result='done'
    [ ! -f "$claims/$key/$request" ] || ! stands || result=already
    # shellcheck disable=SC2046 # One line for each word.
    claim $(claim_lines)
    if enforce && stands; then
        report "$result" true
        exit 0
    fi
    # A claim without effect would keep the effect of others alive.
    said=${why:-"it is not in effect"}
    rm -f "$claims/$key/$request"
    enforce
    fail "$said"
}

undo_by_claim() {
    result=already
    gone || result=undone
    released=$(release)
    [ -z "$released" ] || result=undone
    left=$(claims_of "$key" | wc -l)
    enforce || fail "${why:-"it could not be undone"}"
    if [ "$left" -gt 0 ]; then
        stands || fail 'other requests hold it, and it is not in effect'
        report kept true "requests that still hold it: $left"
    else
        gone || fail "${why:-"it is still in effect"}"
        report "$result" true "${remark-}"
    fi
}

# What a claim records beside the boot; scripts with more to say define it again.
claim_lines() { :; }

# --- Addresses -------------------------------------------------------------------------------

# shellcheck disable=SC2016
ADDRESSES='
function is_v4(a,   part, n, i) {
    n = split(a, part, ".")
    if (n != 4) return 0
    for (i = 1; i <= 4; i++)
        if (part[i] !~ /^(0|[1-9][0-9]?[0-9]?)$/ || part[i] > 255) return 0
    return 1
}
# The shortest form of eight groups (RFC 5952).
function shortest(group,   i, n, best, best_n, said) {
    for (i = 1; i <= 8; i++) {
        sub(/^0+/, "", group[i])
        if (group[i] == "") { group[i] = "0"; n++ } else n = 0
        if (n > 1 && n > best_n) { best_n = n; best = i - n + 1 }
    }
    for (i = 1; i <= 8; i++) {
        if (i == best) { said = said "::"; i += best_n - 1 }
        else said = said (said == "" || said ~ /:$/ ? "" : ":") group[i]
    }
    return said
}
function is_v6(a,   half, n, i, left, right, l, r, group) {
    if (a !~ /^[0-9a-f:]+$/) return 0
    n = split(a, half, "::")
    if (n > 2) return 0
    l = split(half[1], left, ":"); r = n == 2 ? split(half[2], right, ":") : 0
    if (n == 1 ? l != 8 : l + r > 7) return 0
    for (i = 1; i <= 8; i++) group[i] = i <= l ? left[i] : i > 8 - r ? right[i - 8 + r] : "0"
    for (i = 1; i <= 8; i++) if (group[i] == "" || length(group[i]) > 4) return 0
    return shortest(group) == a
}'

# address_family ADDRESS: prints 4 or 6, or nothing when it is no single address in its one form.
address_family() {
    address=$1 awk "$ADDRESSES"'BEGIN {
        a = ENVIRON["address"]
        if (is_v4(a)) print 4; else if (is_v6(a)) print 6
    }'
}

# special_address ADDRESS: whether it stands for no single other host.
special_address() {
    case $1 in
    0.* | 127.* | 22[4-9].* | 23[0-9].* | 24[0-9].* | 25[0-5].*) ;;
    :: | ::1 | ff[0-9a-f][0-9a-f]:* | fe[89ab][0-9a-f]:* | ::ffff:*) ;;
    *) return 1 ;;
    esac
}

# The addresses that this host has itself.
own_addresses() {
    awk "$ADDRESSES"'
        FILENAME ~ /fib_trie/ { if ($0 ~ /host LOCAL/) print last; last = $2; next }
        { for (i = 1; i <= 8; i++) group[i] = substr($1, i * 4 - 3, 4); print shortest(group) }
    ' /proc/net/fib_trie /proc/net/if_inet6 2>/dev/null
}

# The agent's managers, from its ossec.conf: `ADDRESS-OR-NAME PORT` a line.
managers() {
    tr '
	
' '   ' <"$home/etc/ossec.conf" | awk '
        # What stands between <tag> and </tag>, the first time.
        function inside(text, tag,   from, to) {
            from = index(text, "<" tag ">"); to = index(text, "</" tag ">")
            if (!from || to < from) return ""
            from += length(tag) + 2
            text = substr(text, from, to - from)
            gsub(/^ +| +$/, "", text)
            return text
        }
        function cut(text, tag,   to) {
            to = index(text, "</" tag ">")
            return substr(text, to + length(tag) + 3)
        }
        function say(host, port) { if (host != "") print host, (port ~ /^[0-9]+$/ ? port : 1514) }
        {
            while (at = index($0, "<!--")) {
                end = index(substr($0, at), "-->")
                $0 = substr($0, 1, at - 1) " " (end ? substr($0, at + end + 2) : "")
            }
            for (all = $0; (client = inside(all, "client")) != ""; all = cut(all, "client")) {
                for (rest = client; (server = inside(rest, "server")) != ""; rest = cut(rest, "server"))
                    say(inside(server, "address"), inside(server, "port"))
                say(inside(client, "server-ip"), inside(client, "port"))
                say(inside(client, "server-hostname"), inside(client, "port"))
                enrollment = inside(client, "enrollment")
                if (enrollment != "" && (host = inside(enrollment, "manager_address")) != "")
                    print host, (inside(enrollment, "port") ? inside(enrollment, "port") : 1515)
            }
        }'
}

# resolve HOST: prints its addresses, its own when it is one.
resolve() {
    if [ -n "$(address_family "$1")" ]; then
        printf '%s
' "$1"
    else
        timeout --foreground 1 getent ahosts "$1" </dev/null | awk '!seen[$1]++ { print $1 }'
    fi
}

# --- /etc/hosts ------------------------------------------------------------------------------

# write_hosts MARK LINES: makes these the lines that carry the mark. They stand first, where they
# win, so nothing of what others wrote is touched, down to the last byte.
write_hosts() {
    case $(stat -c %F /etc/hosts) in
    'regular file' | 'regular empty file') ;;
    *) why='/etc/hosts is no regular file' && return 1 ;;
    esac
    call cp -T --preserve=all --remove-destination /etc/hosts /etc/.hosts.countersign || return 1
    {
        [ -z "$2" ] || printf '%s\n' "$2" | sed "s/\$/ # $1/"
        sed "/ # $1\$/d" /etc/hosts
    } >/etc/.hosts.countersign || return 1
    call mv -T /etc/.hosts.countersign /etc/hosts
}

# hosts_lines MARK: the lines that carry the mark, without it.
hosts_lines() { sed -n "s/ # $1\$//p" /etc/hosts; }

# is_domain NAME: letters, digits and hyphens in at least two labels, in lower case.
is_domain() {
    name_to_check=$1 awk 'BEGIN {
        name = ENVIRON["name_to_check"]
        n = split(name, label, ".")
        bad = length(name) > 253 || n < 2 || label[n] ~ /^[0-9]+$/
        for (i = 1; i <= n; i++)
            if (label[i] !~ /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/ || length(label[i]) > 63) bad = 1
        exit bad
    }'
}

# --- Firewall --------------------------------------------------------------------------------

# Sets `firewall` to nft, or to iptables where nft is missing or does not work.
# shellcheck disable=SC2034
choose_firewall() {
    if nft list tables >/dev/null 2>&1; then
        firewall=nft
    elif iptables -w 2 -S >/dev/null 2>&1; then
        firewall=iptables
    else
        return 1
    fi
}

# firewall_load RULES COMMAND...: gives it the rules, and keeps its first complaint in `why`.
firewall_load() {
    # shellcheck disable=SC2030
    why=$(rules=$1 && shift && printf '%s\n' "$rules" | "$@" 2>&1 >/dev/null) && return
    why="$2: ${why%%"$newline"*}"
    return 1
}

# --- One run ---------------------------------------------------------------------------------

countersign_run() {
    if [ "${1-}" = worker ]; then
        work
        exit
    fi
    exec 4>&1
    said=$(timeout -s KILL "$DEADLINE" "$0" worker 3>&1 1>&4 4>&- 2>/dev/null)
    write_log "$said"
    case ${said##*R } in *'"result":"failed"'* | '') exit 1 ;; esac
}

work() {
    action=$DO
    [ "$name" = "$SCRIPT" ] || action=$UNDO
    read_request "$(message)"
    ! $undoing || action=$UNDO
    cut_off='it was cut off before its end; the same command may be run again'
    report failed false "$cut_off"
    check
    started
    report failed false "$cut_off"
    # A run that can be timed asks execd to remember it. The key holds the request: so each has its
    # own time, and its own end.
    $undoing || [ -z "$UNDO" ] || check_keys
    open_state
    act
}

# read_request ITEMS: checks what every script needs of a message.
read_request() {
    program='' arguments_json='' data_json='' undone_request=''
    items=$1
    while [ -n "$items" ]; do
        item=${items%%"$newline"*}
        items=${items#"$item"}
        items=${items#"$newline"}
        case $item in
        error\ *) fail "message: ${item#error }" ;;
        command\ *) command=${item#command } ;;
        program\ *) program=${item#program } ;;
        argument\ *) read_argument "${item#argument }" ;;
        data\ *) item=${item#data } && read_data "${item%% *}" "${item#* }" ;;
        esac
    done
    [ "${program##*/}" = "$name" ] || fail 'parameters.program is another script'
    [ -n "$tag" ] || fail 'the arguments hold no tag: countersign=<request>/<attempt>/<digest>'
    undoing=false
    [ "$name" = "$SCRIPT" ] || [ -n "$UNDO" ] || fail 'it cannot be undone'
    case $command/$name in
    add/"$SCRIPT") ;;
    add/"$SCRIPT-undo") undoing=true ;;
    delete/"$SCRIPT")
        [ -n "$UNDO" ] || fail 'it cannot be undone'
        undoing=true undone_request=$request
        ;;
    *) fail 'command must be add, or delete for what was timed' ;;
    esac
}

newline='
'

read_argument() {
    case $1 in
    countersign=*)
        [ -z "$tag" ] || fail 'the arguments hold two tags'
        case ${1#countersign=} in
        *[!A-Za-z0-9_/]* | /* | */ | *//* | */*/*/*) fail 'the tag is not <request>/<attempt>/<digest>' ;;
        */*/*) [ ${#1} -le 160 ] || fail 'the tag is longer than 160 bytes' ;;
        *) fail 'the tag is not <request>/<attempt>/<digest>' ;;
        esac
        tag=$1 request=${1#countersign=} request=${request%%/*}
        ;;
    undo=*)
        if [ "$name" != "$SCRIPT-undo" ] || [ -n "$undone_request" ]; then
            fail 'an argument undo= where none can stand'
        fi
        case ${1#undo=} in
        '' | *[!A-Za-z0-9_]*) fail 'undo= names no request' ;;
        esac
        [ ${#1} -le 80 ] || fail 'undo= names no request'
        undone_request=${1#undo=}
        ;;
    *) argument "$1" || fail 'an argument that this script does not know' ;;
    esac
    arguments_json="$arguments_json${arguments_json:+,}\"$(json_text "$1")\""
}

# What else may stand in the arguments; scripts that take more define it again.
argument() { return 1; }

read_data() {
    case " $KEYS " in
    *" $1 "*) eval "data_$1=\$2" ;;
    *) fail 'a key of alert.data that this script does not know' ;;
    esac
    data_json="$data_json${data_json:+,}\"$1\":\"$(json_text "$2")\""
}

check_keys() {
    printf '{"version":1,"origin":{"name":"%s","module":"active-response"},"command":"check_keys","parameters":{"keys":["%s","%s"]}}\n' \
        "$name" "$(json_text "$target")" "$request"
    # `abort` means that this very request is pending, and now has its time anew. To do it again
    # changes nothing, and repairs what was cut off.
    case "$(message)" in
    "command continue$newline"* | "command abort$newline"*) ;;
    *) fail 'execd answered neither continue nor abort' ;;
    esac
}
