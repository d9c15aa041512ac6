"""One of several processes on one database: python store_worker.py URL NAME; prints what it got as JSON."""

import asyncio
import json
import sys

from sqlalchemy import text

from mouthpiece.store.db import Database
from mouthpiece.store.history import History, SessionRecord
from mouthpiece.store.jobs import Jobs
from mouthpiece.store.keys import Keys

ROUNDS = 12
LIMIT = 20
PEPPER = b"p" * 32
ACCOUNT_KEY = "the account's key"


async def _count_up(database: Database) -> None:
    """Read, then write what was read plus one: loses counts unless writers take turns."""
    async with database.write() as connection:
        lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
        count = (await connection.execute(text(f"SELECT frames FROM sessions WHERE id = 'counter'{lock}"))).scalar_one()
        await connection.execute(text("UPDATE sessions SET frames = :n WHERE id = 'counter'"), {"n": count + 1})


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(url: str, name: str) -> None:
    database = await Database.open(url)
    keys, history, jobs = Keys(database, PEPPER), History(database), Jobs(database)
    await keys.ensure([ACCOUNT_KEY])
    account = keys.account_of(ACCOUNT_KEY)
    _say("open")
    sys.stdin.readline()  # everybody has opened it, and the counter and the jobs are there
    new = [SessionRecord(f"{name}-{n}", account, f"{name}-{n}", "mia", "compose") for n in range(ROUNDS)]
    begun = sum(await asyncio.gather(*(history.begin(each, name, limit=LIMIT) for each in new)))
    claimed = []
    for n in range(ROUNDS):
        await history.renew(name, {each.id: n for each in new})
        await _count_up(database)
        job = await jobs.claim(name)
        claimed += [job.id] if job else []
    _say(json.dumps({"begun": begun, "claimed": claimed}))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
