// Passkeys: brings what the server asks to the authenticator, and its answer into the form. The buttons
// that need it show where the browser knows passkeys.
"use strict";
(() => {
  if (!window.PublicKeyCredential) return;
  /** The server forgets a question after five minutes. */
  const TIMEOUT_MS = 5 * 60 * 1000;
  /** EdDSA, ES256, RS256 (RFC 9053, RFC 8812). */
  const ALGORITHMS = [-8, -7, -257];
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (ids) => ids.map((id) => ({ type: "public-key", id: bytes(id) }));

  const question = async ({ form, dataset }) => {
    const fields = new URLSearchParams({ verb: dataset.verb ?? "" });
    for (const name of ["form_token", "version", "digest", "ticket"]) {
      if (form.elements[name]) fields.set(name, form.elements[name].value);
    }
    const answer = await fetch(dataset.ask, { method: "POST", body: fields });
    if (answer.ok) return answer.json();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    throw new Error(page.querySelector("main p")?.textContent ?? "The server did not answer.");
  };
  const sign = async (asked) => {
    const { rawId, response } = await navigator.credentials.get({ publicKey: {
      challenge: bytes(asked.challenge), rpId: asked.relying_party, timeout: TIMEOUT_MS,
      userVerification: "required", allowCredentials: named(asked.credentials),
    } });
    return {
      nonce: asked.nonce, credential: text(rawId), user: text(response.userHandle ?? new ArrayBuffer(0)),
      client_data: text(response.clientDataJSON), signature: text(response.signature),
      authenticator_data: text(response.authenticatorData),
    };
  };
  const make = async (asked) => {
    const { response } = await navigator.credentials.create({ publicKey: {
      challenge: bytes(asked.challenge), timeout: TIMEOUT_MS, attestation: "none",
      rp: { id: asked.relying_party, name: "Countersign" },
      user: { id: new TextEncoder().encode(asked.user), name: asked.name, displayName: asked.name },
      pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: named(asked.credentials),
      authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
    } });
    return {
      nonce: asked.nonce, client_data: text(response.clientDataJSON),
      attestation: text(response.attestationObject),
    };
  };
  const reason = (error) => ({
    NotAllowedError: "The passkey was not used: it was cancelled, or took too long.",
    InvalidStateError: "This passkey was added already.",
  })[error.name] ?? error.message;

  document.querySelectorAll("button[data-ask]").forEach((button) => {
    const { form, dataset } = button;
    const problem = document.createElement("p");
    problem.className = "wrong";
    problem.setAttribute("role", "alert");
    problem.hidden = true;
    button.before(problem);
    button.hidden = false;
    button.addEventListener("click", async () => {
      const { passkey, password } = form.elements;
      // The passkey stands in for the password; to add one takes both.
      if (dataset.verb && password) password.required = false;
      const whole = form.reportValidity();
      if (dataset.verb && password) password.required = true;
      if (!whole) return;
      // The page must not load again meanwhile.
      form.dispatchEvent(new Event("input", { bubbles: true }));
      button.disabled = true;
      problem.hidden = true;
      try {
        const asked = await question(button);
        passkey.value = JSON.stringify(await (dataset.verb ? sign : make)(asked));
        form.submit();
      } catch (error) {
        problem.textContent = `${reason(error)} Nothing was changed.`;
        problem.hidden = false;
        button.disabled = false;
      }
    });
  });
})();
