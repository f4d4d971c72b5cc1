"""What the operating system refuses (a full disk, a folder that is not ours) is no bug, and is said as what it is."""

from __future__ import annotations

import errno

from karrots.errors import Failed

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
OTHERS = {
    errno.ETIMEDOUT,
    errno.ESTALE,
    errno.EBUSY,
    errno.EAGAIN,
    errno.ENXIO,
    errno.ENODEV,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}


def refusal(error: OSError) -> Failed | None:
    """None for what the system would only say because of a mistake of ours."""
    if error.errno not in NO_ROOM | NOT_ALLOWED | OTHERS:
        return None
    what = f"'{error.filename}'" if error.filename else "a file"
    return Failed(f"{what} cannot be used", why=error.strerror or str(error), hint=_hint(error))


def _hint(error: OSError) -> str:
    from karrots import places

    if error.errno in NO_ROOM:
        return f"free some space; karrots keeps its own in {places.state()}"
    if error.filename:
        return f"ls -ld {error.filename}"
    return "karrots doctor"
