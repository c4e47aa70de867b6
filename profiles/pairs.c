#include "profiles/pairs.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <ini.h>

enum { PAIRS_MOST = 256 * 1024 };

struct pairs {
    int (*each)(void *data, const char *section, const char *name, const char *value,
                struct error *e);
    void *data;
    struct error *e;
    int result;
};

static int pairs_take(void *data, const char *section, const char *name, const char *value)
{
    struct pairs *p = data;
    if (p->result == 0)
        p->result = p->each(p->data, section, name, value ? value : "", p->e);
    return p->result == 0;
}

int pairs_read(const char *path,
               int (*each)(void *data, const char *section, const char *name, const char *value,
                           struct error *e),
               void *data, struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    int r = file_read(AT_FDCWD, path, PAIRS_MOST, &text, &size);
    if (r < 0)
        return error_errno(e, -r, "%s", path);
    struct pairs p = {.each = each, .data = data, .e = e};
    int line = ini_parse_string(text, pairs_take, &p);
    if (p.result < 0)
        return error_wrap(e, "%s:%d", path, line);
    return line ? error_set(e, EINVAL, "%s:%d: neither [section] nor name = value", path, line) : 0;
}
