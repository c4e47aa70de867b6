/*
 * A file tree as a stream of records: how `cp` travels between host and workload, in both
 * directions. Nothing here allocates, so the agent uses it too.
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
    uint32_t mode; /* permission bits; set-id bits never travel */
    uint64_t size; /* bytes of content (FILE), errno (ERROR) */
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint16_t name_size, link_size;
};
_Static_assert(sizeof(struct record_head) == 32, "the stream's layout");

/* 0, or -EBADMSG: an unknown type, a length beyond the limits, a field where none belongs. */
int record_check_head(const struct record_head *h);
/* 0, or -EBADMSG: a name that could leave its folder. `first`: may be empty, and has no '/'. */
int record_check_name(const char *name, size_t size, int first);

/*
 * Order: the thing itself first; a folder before what is in it, and everything in it before what is
 * beside it. The first record may carry the thing's own name (one part); the others' are relative
 * to it. RECORD_ERROR also closes the stream: everything else has come, but the name could not be
 * sent.
 */
enum { RECORDS_DEPTH_MAX = 96, RECORDS_ENTRIES_MAX = 4 * 1024 * 1024 };

/*
 * Sends the file, link or tree `name` (one part, or "." for `dir` itself) below `dir` to `fd`,
 * never following a link. Special files and kernel file systems below are skipped and counted. What
 * cannot be read is left out; the first such path is the error at the end. `what` (room for at
 * least 256 bytes, always NUL-terminated, raw bytes) gets the path an error is about. 0 or -errno
 * (-EPIPE: the reader went).
 */
int records_send(int fd, int dir, const char *name, char *what, size_t room, uint64_t *ret_skipped);

/*
 * Writes a received tree as `name` below `dir`, or, with a NULL `name`, under the name the stream
 * gives (none: a folder's contents go into `dir` itself). Files and links replace what is there by
 * rename(2), folders are merged; a link on the way is never followed, only made; nothing outside
 * `dir` is touched. Owners are ours, modes the stream's less set-id bits and umask. At most `most`
 * bytes of content (0: as many as come; -EFBIG beyond). A hostile or cut-off stream is -EBADMSG.
 * What came so far stays.
 */
int records_receive(int fd, int dir, const char *name, uint64_t most, char *what, size_t room);

#endif
