"""The commands of `ledgerflow`, in the order and the panels of its help; on_demand.py imports them."""

from __future__ import annotations

from pipeline.cli.on_demand import Listed

RUN, TRY, LOOK, DECIDE, REPAIR = "Run", "Try", "Look", "Decide", "Check and repair"

COMMANDS = (
    Listed("up", "up:up", RUN,
           "Start Kafka, the schema registry, the workers and the gateway here, and keep them running."),
    Listed("worker", "worker:worker", RUN, "Run one worker in the foreground, against an existing cluster."),
    Listed("gateway", "gateway:gateway", RUN,
           "Run a gateway in the foreground, against an existing cluster: HTTP in, events out."),
    Listed("load", "load:load", RUN,
           "Produce realistic test traffic, with frauds, breaks, retries and malformed records planted in"
           " it."),
    Listed("backtest", "backtest:backtest", TRY,
           "Decide your own payments as the fraud stream would have: in the order of their time, by its"
           " very code."),
    Listed("train", "train:train", TRY,
           "Train a fraud model of payments and their labels: one file, at most 4 MiB."),
    Listed("reconcile", "reconcile:reconcile", TRY,
           "Match your own postings and bank lines as the stream would: in the order of time, by its very"
           " code."),
    Listed("topics", "topics:topics", LOOK,
           "List the topics: what each is for, who writes it, and how much it holds; or repair their"
           " settings."),
    Listed("tail", "tail:tail", LOOK,
           "Show the events of a topic, decoded: the last ones, or all, or as they come."),
    Listed("balance", "balance:balance", LOOK, "Show an account's balance, now or at another time."),
    Listed("statement", "statement:statement", LOOK,
           "Show an account's statement: opening balance, every booking and hold, closing balance."),
    Listed("alerts", "alerts:alerts", LOOK,
           "Show a tenant's alerts, newest last; of one account with reasons, and what is known of both"
           " sides."),
    Listed("proposals", "proposals:proposals", LOOK,
           "Show the commands of a tenant, or of one account, that wait for a second person."),
    Listed("export", "export:export", LOOK,
           "Export all data of a tenant: events as Avro files, balances as CSV, a manifest."),
    Listed("version", "version:version", LOOK,
           "Show the versions of Ledgerflow and of the parts it runs on."),
    Listed("approve", "proposals:approve", DECIDE,
           "Let a proposed command be done: shows what is proposed, and sends `proposal_approved` for"
           " exactly that."),
    Listed("reject", "proposals:reject", DECIDE,
           "Let a proposed command not be done: shows what is proposed, and sends `proposal_rejected`."),
    Listed("verify", "verify:verify", REPAIR,
           "Check every invariant from the topics alone: money, sequences, one effect per event, alerts,"
           " breaks."),
    Listed("snapshot", "snapshot:snapshot", REPAIR,
           "Take a snapshot of the running workers' tables, for `ledgerflow restore`; the streams go on."),
    Listed("restore", "restore:restore_command", REPAIR,
           "Restore a stopped worker's tables from a snapshot; it then reads only what came since."),
    Listed("migrate", "migrate:migrate", REPAIR,
           "Take what an earlier version wrote over, once, while no worker runs: source offsets into"
           " changelogs."),
    Listed("rebuild", "rebuild:rebuild", REPAIR,
           "Compute the balances again from the logs alone, and show what differs, account by account."),
    Listed("switch", "switch:switch", REPAIR,
           "Restart the workers of a running `ledgerflow up`, one by one, with the rules installed now."),
    Listed("accept-loss", "accept_loss:accept_loss", REPAIR,
           "Accept that a log has lost its records below an offset: the streams go on at that offset."),
    Listed("quarantine", "quarantine:quarantine", REPAIR,
           "Make records that end a worker again and again dead letters, without looking into them."),
    Listed("matching", "matching:app", TRY,
           "Weights of matching: learn, show, publish, withdraw, list.", more=(
        Listed("publish", "matching_publishing:publish_weights", None,
               "Publish weights of matching: whatever is decided from a time on is scored by them."),
        Listed("withdraw", "matching_publishing:withdraw_weights", None,
               "Go back to the weights of the product from a time on."),
        Listed("list", "matching_publishing:list_weights", None,
               "Show which weights of matching were published: whose, from when on, which hold now."),
    )),
    Listed("account", "account:app", TRY, "Open and fund accounts, as an upstream does, to try it."),
    Listed("statements", "statements:app", RUN,
           "Bring statements of banks in: camt.053, camt.054, MT940, BAI2, CSV.", more=(
        Listed("watch", "statements_watch:watch", None,
               "Import the statements that come into a folder, each content once, until it is stopped."),
    )),
    Listed("payment", "payment:app", LOOK,
           "Show a payment; or send one, as an upstream does, to try it.", more=(
        Listed("link", "payment_link:link_payments", None,
               "Pay several accounts as one: all or none. Sends `payments_linked`, and waits until all are"
               " decided."),
    )),
    Listed("fraud", "fraud:app", DECIDE, "Say what a payment turned out to be."),
    Listed("dead-letters", "dead_letters:app", REPAIR,
           "Records that could not be applied: look, send again, give up."),
    Listed("transactions", "transactions:app", REPAIR,
           "Open transactions on the topics: list them, abort one."),
    Listed("acls", "acls:app", REPAIR,
           "Who may do what in Kafka, by role: print, apply, check against a cluster."),
    Listed("rules", "rules:app", REPAIR,
           "Fraud rules as data: check a file of them.", more=(
        Listed("publish", "rules_publishing:publish_rules", None,
               "Publish a file of fraud rules: checks it as `rules lint` does, and sends its lists and the"
               " set."),
        Listed("list", "rules_publishing:list_rules", None,
               "Show the sets of fraud rules that were published: whose, from when on, which versions hold"
               " now."),
        Listed("backtest", "backtest:backtest_rules", None,
               "Decide your own payments by a file of fraud rules: what it finds, and which alerts it gains"
               " and loses."),
    )),
    Listed("model", "model:app", REPAIR, "Models of fraud decisions: publish one, list them, withdraw it."),
    Listed("schemas", "schemas:app", REPAIR, "The Avro schemas of the events: list, check, register."),
    Listed("keys", "keys:app", RUN, "API keys of programs at the gateway."),
    Listed("grants", "grants:app", RUN, "Roles of people and programs at the gateway."),
    Listed("signing-keys", "signing_keys:app", RUN,
           "Keys by which programs sign their requests at the gateway."),
    Listed("personal", "personal:app", RUN, "Personal data: its keys."),
)  # fmt: skip
