"""A host that is reached by SSH and does nothing but serve Borg: ADDRESS PORT DIRECTORY.

The directory has the host's key (`host`) and who is let in (`authorized`); repositories are below it.
"""

import asyncio
import sys

import asyncssh

address, port, directory = sys.argv[1:]


async def serve(process):
    pipe = asyncio.subprocess.PIPE
    borg = await asyncio.create_subprocess_exec(
        "borg", "serve", "--restrict-to-path", directory, stdin=pipe, stdout=pipe, stderr=pipe
    )
    await process.redirect(stdin=borg.stdin, stdout=borg.stdout, stderr=borg.stderr)
    ended = asyncio.ensure_future(borg.wait())
    gone = asyncio.ensure_future(process.channel.wait_closed())
    await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
    # Whoever is cut off leaves no lock behind, as with any other server of SSH. One that waits for
    # somebody to read what it says does not hear that it shall end; the next one breaks its lock.
    if borg.returncode is None:
        borg.terminate()
        await asyncio.wait({ended}, timeout=2)
    if borg.returncode is None:
        borg.kill()
    process.exit(await ended)


async def main():
    await asyncssh.create_server(
        asyncssh.SSHServer,
        address,
        int(port),
        server_host_keys=[f"{directory}/host"],
        authorized_client_keys=f"{directory}/authorized",
        process_factory=serve,
        encoding=None,
    )
    await asyncio.Event().wait()


asyncio.run(main())
