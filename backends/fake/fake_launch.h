/* A boundary that is none: a plain child process, for tests of monitor, client and interface alone.
 * Never installed. */
#ifndef COFFERDAM_BACKENDS_FAKE_FAKE_LAUNCH_H
#define COFFERDAM_BACKENDS_FAKE_FAKE_LAUNCH_H

#include "backends/launch.h"

/*
 * Its plan is text, "KEY=VALUE" a line: id, name, arg (repeated), terminal, scrollback, keep
 * (never, on-failure, always), restart (no, on-failure, always), restart-most, time-limit,
 * idle-limit, grace (ms), record, journal (a line to be written down before the start), stuck
 * (clean() fails).
 */
extern const struct launch_ops fake_launch_ops;

#endif
