#include "backends/oci/frames.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

static const char frames_magic[8] = "gVisorSF", frames_plain[] = "\"compression\":\"none\"";

enum { FRAMES_LABELS_MAX = 64 * 1024, FRAMES_SUM = 32 };

/* Where the first frame begins; 0: nowhere. */
static size_t frames_begin(const char *data, size_t size)
{
    uint64_t labels;
    size_t at = sizeof(frames_magic) + sizeof(labels);
    if (size < at || memcmp(data, frames_magic, sizeof(frames_magic)) != 0)
        return 0;
    memcpy(&labels, data + sizeof(frames_magic), sizeof(labels));
    labels = be64toh(labels);
    if (labels > FRAMES_LABELS_MAX || size - at < labels + FRAMES_SUM ||
        !memmem(data + at, labels, frames_plain, strlen(frames_plain)))
        return 0;
    return at + labels + FRAMES_SUM;
}

/* The length of the frame at `at`; 0: there is no whole one. */
static uint32_t frames_length(const char *data, size_t size, size_t at)
{
    uint32_t length;
    if (size - at < sizeof(length))
        return 0;
    memcpy(&length, data + at, sizeof(length));
    length = be32toh(length);
    return size - at - sizeof(length) < length ? 0 : length;
}

size_t frames_join(char *data, size_t size)
{
    uint32_t head, length;
    size_t begin = frames_begin(data, size), at = begin;
    if (begin == 0 || size - begin > UINT32_MAX)
        return 0;
    while (at < size && (length = frames_length(data, size, at)) > 0)
        at += sizeof(head) + length;
    if (at != size || at == begin)
        return 0;
    size_t to = begin + sizeof(head);
    for (at = begin; at < size; at += sizeof(head) + length) {
        length = frames_length(data, size, at);
        memmove(data + to, data + at + sizeof(head), length);
        to += length;
    }
    head = htobe32((uint32_t)(to - begin - sizeof(head)));
    memcpy(data + begin, &head, sizeof(head));
    return to;
}
