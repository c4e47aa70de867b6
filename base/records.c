#include "base/records.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

int record_check_head(const struct record_head *h)
{
    if (h->pad[0] || h->pad[1] || h->pad[2] || h->mode & ~0777u || h->mtime_ns > 999999999 ||
        h->name_size >= RECORD_NAME_MAX)
        return -EBADMSG;
    switch (h->type) {
    case RECORD_FILE:
        return h->link_size || h->size > INT64_MAX ? -EBADMSG : 0;
    case RECORD_DIR:
        return h->link_size || h->size ? -EBADMSG : 0;
    case RECORD_LINK:
        return !h->link_size || h->link_size >= PATH_MAX || h->size ? -EBADMSG : 0;
    case RECORD_ERROR:
        return h->link_size || !h->size || h->size > 4095 ? -EBADMSG : 0;
    case RECORD_END:
        return h->link_size || h->size || h->name_size || h->mode ? -EBADMSG : 0;
    }
    return -EBADMSG;
}

int record_check_name(const char *name, size_t size, int first)
{
    if (size == 0)
        return first ? 0 : -EBADMSG;
    if (memchr(name, 0, size))
        return -EBADMSG;
    for (const char *p = name, *end = name + size; p <= end;) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        size_t length = (size_t)((slash ? slash : end) - p);
        if (length == 0 || length > NAME_MAX || (length == 1 && p[0] == '.') ||
            (length == 2 && p[0] == '.' && p[1] == '.') || (slash && first))
            return -EBADMSG;
        if (!slash)
            break;
        p = slash + 1;
    }
    return 0;
}
