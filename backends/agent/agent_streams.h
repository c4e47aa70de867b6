/* The descriptors that come with AGENT_STARTED, inspected before anybody uses them. */
#ifndef COFFERDAM_BACKENDS_AGENT_AGENT_STREAMS_H
#define COFFERDAM_BACKENDS_AGENT_AGENT_STREAMS_H

#include "backends/launch.h"

enum { AGENT_STREAMS_MAX = 3 };

/*
 * Either one pty master (a character device of a devpts that answers TIOCGPTN), or three pipe ends:
 * to write stdin, to read stdout, to read stderr. They are made non-blocking and, on success,
 * belong to
 * `*ret`. -EBADMSG for anything else: another count, kind or direction; the caller keeps them then.
 */
int agent_streams_check(const int *fds, size_t count, bool terminal, struct launch_streams *ret);

#endif
