"use strict";
// Signs in by a passkey, steps a session up (/passkey?step_up=1), or makes the first administrator's passkey.

const button = document.getElementById("go");
const said = document.getElementById("said");

function bytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw new Error((await answer.json()).detail);
}

function sent(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response };
}

async function signIn() {
  const stepUp = new URLSearchParams(location.search).has("step_up");
  const options = await post("/passkey/options", { step_up: stepUp });
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  await post("/passkey/sign-in", sent(await navigator.credentials.get({ publicKey })));
}

async function makeAdministrator() {
  const link = location.hash.slice(1);
  const options = await post("/first-administrator/options", { link });
  const user = { ...options.user, id: bytes(options.user.id) };
  const publicKey = { ...options, user, challenge: bytes(options.challenge) };
  const credential = sent(await navigator.credentials.create({ publicKey }));
  await post("/first-administrator/register", { link, credential });
}

button.addEventListener("click", async () => {
  button.disabled = true;
  said.textContent = "";
  try {
    await (button.dataset.kind === "sign-in" ? signIn() : makeAdministrator());
    location.assign("/docs");
  } catch (error) {
    said.textContent = error.message;
    button.disabled = false;
  }
});
