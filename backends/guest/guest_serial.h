/* The console of a guest that has nobody of ours in it: its serial line. */
#ifndef COFFERDAM_BACKENDS_GUEST_GUEST_SERIAL_H
#define COFFERDAM_BACKENDS_GUEST_GUEST_SERIAL_H

#include "backends/launch.h"

/* What such a machine can be told; the others are an error with this text. */
#define GUEST_SERIAL_SIGNALS "a machine knows TERM (shut down), HUP (reset) and KILL (power off)"

/* Takes `console`, a stream; the streams are the receiver's. A second one is at its end. */
void guest_serial_streams(int console, bool terminal, struct launch_streams *ret);

#endif
