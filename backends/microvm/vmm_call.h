/*
 * Calling a guest that has been spoken to before, through its program's socket of vsock: after a
 * snapshot is taken or gone on from, no connection there was before is one any more.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_CALL_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_CALL_H

#include "base/error.h"

/*
 * Connects to a socket that the machine's program listens at, by its name in `folder`. It never
 * waits and follows no link, for that program may be anybody's by now. A blocking socket or -errno;
 * -ENOENT, -ECONNREFUSED, -EAGAIN (who waits to be taken there is too many): not yet; -EPROTO: it
 * is no socket.
 */
int vmm_connect(int folder, const char *name);

/*
 * Connects to VMM_MEET_VSOCK in `folder` (VMM_MEET) and has it connected with the agent's port: one
 * that answers, for the guest's kernel may still be about to cut what it thinks is old. Tries until
 * then, at most `timeout_ms`, while `alive` (a pidfd; FD_NONE: whatever happens) is not readable. A
 * socket or -errno.
 */
int vmm_call(int folder, int alive, int timeout_ms, struct error *e);

#endif
