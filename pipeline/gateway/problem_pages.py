"""The page of each problem: what its code means, and what to do. `type` of every problem is its address."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from pipeline.gateway.problems import TYPE_PREFIX, Problem
from schemas.result_codes import RESULTS


class Meaning(NamedTuple):
    """What a code means, and what to do about it."""

    meaning: str
    remedy: str


OWN = {
    "idempotency_key_missing": Meaning(
        "The command has no Idempotency-Key.", "Send one: a new one for each command, the same for a retry."
    ),
    "invalid_idempotency_key": Meaning(
        "The key is too long, or has other characters than printable ASCII.", "Use a UUID."
    ),
    "idempotency_key_reused": Meaning(
        "The key was used before, for a command with another content. Nothing was done.",
        "Use a new key for a new command. `request_id` names the first one.",
    ),
    "invalid_request": Meaning(
        "The body, the path or a parameter is not what the route takes.", "`errors` says where."
    ),
    "invalid_command": Meaning("The fields do not make such a command.", "The detail says which and why."),
    "invalid_preference": Meaning("The header Prefer cannot be read.", "Send wait=2, or leave it out."),
    "body_too_large": Meaning("The body is larger than an event may be.", "Send less, or several commands."),
    "body_too_slow": Meaning("The body did not come in time.", "Send it again."),
    "credential_missing": Meaning("Nobody is signed in.", "Send Authorization: Bearer and an API key."),
    "invalid_credential": Meaning("The credential has no form that is known.", "Check the header."),
    "several_credentials": Meaning("There is more than one credential.", "Send one."),
    "unknown_key": Meaning("The API key is unknown, over or revoked.", "Make another: `ledgerflow keys`."),
    "token_refused": Meaning("The token is not in force, or not for this gateway.", "The detail says why."),
    "session_over": Meaning("The session is over or revoked.", "Sign in again."),
    "sign_in_refused": Meaning("The sign-in did not succeed.", "Begin again at /sign-in."),
    "passkey_refused": Meaning("The passkey's answer is not right.", "Try again with the right passkey."),
    "not_on_this_machine": Meaning(
        "The first administrator is made on the gateway's own machine.", "Open the link there."
    ),
    "link_over": Meaning("The link is over or was used.", "Start the gateway again for another."),
    "signature_required": Meaning(
        "The tenant asks for signed commands.", "Sign the request (RFC 9421); see `ledgerflow signing-keys`."
    ),
    "signature_refused": Meaning("The signature is not right.", "The detail says why."),
    "store_unavailable": Meaning("The gateway cannot read its sessions and keys now.", "Try again later."),
    "no_sandbox": Meaning("This tenant cannot be wiped.", "`sandbox = true` in the tenants file makes one."),
    "sandbox_was_reset": Meaning(
        "The generation of the sandbox that was meant is over.", "`generation` is the present one."
    ),
    "too_many_resets": Meaning("The sandbox was wiped often today.", "Wait as Retry-After says."),
    "own_grant": Meaning("Nobody gives a role to oneself.", "Ask another administrator."),
    "grant_refused": Meaning("The policy does not allow such a grant.", "The detail says why."),
    "invalid_return": Meaning("return_to is no path of this site.", "Give one, such as /docs."),
    "provider_unavailable": Meaning("The OpenID provider gives no good answer now.", "Try again later."),
    "cross_site_request": Meaning(
        "A browser's request that changes something has to come from a page of this site, with its token.",
        "Send the session's csrf_token (GET /v1/me) in the header Ledgerflow-CSRF.",
    ),
    "people_only": Meaning("Programs have no sessions.", "Revoke their keys: `ledgerflow keys`."),
    "too_many_requests": Meaning("More requests than the limit allows.", "Wait as Retry-After says."),
    "not_permitted": Meaning("No role of yours allows it in this tenant.", "Ask an administrator."),
    "out_of_scope": Meaning("The key is limited to other things.", "Use another key."),
    "forbidden_to_role": Meaning("A role of yours forbids it.", "Somebody else has to do it."),
    "account_required": Meaning("You may see your own accounts alone.", "Name one of them."),
    "account_not_own": Meaning("The account is not yours.", "Name one of yours."),
    "expired": Meaning("The credential is over.", "Sign in again."),
    "second_factor_required": Meaning("A second factor is missing.", "Sign in with one."),
    "step_up_required": Meaning("It needs a second factor of the last minutes.", "Show it again."),
    "unknown_parameter": Meaning("There is no such parameter.", "The API's description lists them."),
    "bad_question": Meaning("A parameter of the query is bad.", "The detail names it."),
    "not_found": Meaning("There is no such thing, or not yet.", "Check the ids; wait, if it is new."),
    "ambiguous": Meaning("Two accounts use this id.", "Say which by `debtor` or `account`."),
    "no_such_topic": Meaning("There is no such topic to follow.", "The API's description lists them."),
    "not_decided_yet": Meaning("Your command is not decided yet.", "Ask again after Retry-After."),
    "not_applied_yet": Meaning("The account does not show your command yet.", "Ask again."),
    "log_unavailable": Meaning(
        "Kafka or the streams do not answer now. The command may be in the log.",
        "Send it again with the same key: it has one effect.",
    ),
    "keys_unavailable": Meaning(
        "The keys of personal data cannot be reached now. Nothing was done.",
        "Send it again after Retry-After, with the same key; the gateway's log says what is wrong.",
    ),
    "person_erased": Meaning(
        "The person was erased: nothing new about them is taken.", "Use another id for another person."
    ),
    "views_unavailable": Meaning("No worker answers now.", "Ask again after Retry-After."),
    "views_failed": Meaning("A worker gave no good answer.", "Ask again; see the worker's log."),
    "answer_too_large": Meaning("The answer is too large.", "Ask for fewer rows: `limit`."),
    "too_busy": Meaning("Too many requests or connections wait.", "Ask again after Retry-After."),
    "internal_error": Meaning("The gateway failed.", "Send it again with the same key; see its log."),
}
"""The problems of the gateway itself. All others are the ledger's result codes."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{code}</title></head>
<body><h1>{code}</h1><p>{meaning}</p><p>{remedy}</p></body></html>
"""


def meanings() -> dict[str, Meaning]:
    """Return what every problem means, by its code."""
    return {result.code: Meaning(result.meaning, result.remedy) for result in RESULTS} | OWN


def router() -> APIRouter:
    """Return the route of the pages."""
    made, known = APIRouter(), meanings()

    @made.get(TYPE_PREFIX + "{code}", response_class=HTMLResponse, include_in_schema=False)
    async def page(code: str) -> HTMLResponse:
        found = known.get(code)
        if found is None:
            raise Problem(404, "not_found", "there is no such problem")
        shown = {"code": code, "meaning": found.meaning, "remedy": found.remedy}
        return HTMLResponse(_PAGE.format(**{name: escape(text) for name, text in shown.items()}))

    return made
