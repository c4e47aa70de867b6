/*
 * The file of a gVisor checkpoint that holds its kernel's state (pkg/state/statefile: "gVisorSF",
 * the length of its labels in 8 bytes, the labels in JSON, 32 bytes of their sum; and without
 * compression pkg/compressio's frames: a length in 4 bytes, big endian, then so many bytes). Each
 * byte of the state comes in a frame of its own, and is read with two calls: as one frame it is a
 * quarter as long and read in less time.
 */
#ifndef COFFERDAM_BACKENDS_OCI_FRAMES_H
#define COFFERDAM_BACKENDS_OCI_FRAMES_H

#include <stddef.h>

/* In place: all frames become one. The new size, or 0 where it is something else, unchanged. */
size_t frames_join(char *data, size_t size);

#endif
