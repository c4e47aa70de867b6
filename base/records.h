/*
 * A file tree as a stream of records: how `cp` travels between host and workload, in both directions.
 * The codec does no I/O and allocates nothing, so the agent uses it too.
 *
 * A record is struct record_head, then `name_size` bytes of path (relative, no "", "." or "..", no
 * leading or double '/'; empty only for the first record: the thing itself), `link_size` bytes of a
 * symbolic link's text, then `size` bytes of content. RECORD_END closes the stream well; anything
 * else is an error. Either side treats the other's records as hostile.
 */
#ifndef COFFERDAM_BASE_RECORDS_H
#define COFFERDAM_BASE_RECORDS_H

#include <stddef.h>
#include <stdint.h>

enum record_type { RECORD_FILE = 1, RECORD_DIR, RECORD_LINK, RECORD_END = 255, RECORD_ERROR = 254 };
enum { RECORD_NAME_MAX = 4096 };

struct record_head {
    uint8_t type;
    uint8_t pad[3];
    uint32_t mode;       /* permission bits; set-id bits never travel */
    uint64_t size;       /* bytes of content (FILE), errno (ERROR) */
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint16_t name_size, link_size;
};
_Static_assert(sizeof(struct record_head) == 32, "the stream's layout");

/* 0, or -EBADMSG: an unknown type, a length beyond the limits, a field where none belongs. */
int record_check_head(const struct record_head *h);
/* 0, or -EBADMSG: a name that could leave its folder. `first`: may be empty. */
int record_check_name(const char *name, size_t size, int first);

/* Sends the file or tree `name` below `dir` to `fd` / writes a received one. Neither follows a link;
 * special files are skipped and counted. `most` bounds the bytes received (0: none). 0 or -errno;
 * `what` (room for at least 256) gets the path an error is about. */
int records_send(int fd, int dir, const char *name, char *what, size_t room, uint64_t *ret_skipped);
int records_receive(int fd, int dir, const char *name, uint64_t most, char *what, size_t room);

#endif
