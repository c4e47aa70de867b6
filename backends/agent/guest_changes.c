/* A guest's word on what its workload changed: bounded, checked, sorted like a container's. */
#include "backends/agent/guest_inner.h"

#include "backends/changes_notes.h"
#include "base/fd.h"
#include "base/str.h"

#include <sys/stat.h>

enum {
    GUEST_CHANGE_PATH = 4096,
    GUEST_CHANGES_FACTOR = 64,
    GUEST_CHANGES_LEAST = 100000,
    GUEST_CHANGES_KEPT = 8 << 20,   /* bytes of paths; shown they can be six times as long */
    GUEST_CHANGES_READ = 128 << 20, /* bytes of all that is said */
};

void guest_changes_done(struct guest_changes *g)
{
    changes_done(&g->c);
    buf_done(&g->part);
    *g = (struct guest_changes){0};
}

int agent_guest_changes(struct agent_host *h, size_t most, struct error *e)
{
    struct guest_changes *g = &h->guest->changes;
    if (g->asked)
        return error_set(e, EALREADY, "the changes are being read already");
    int r = agent_host_copy(h, AGENT_CHANGES, UINT32_MAX, "", FD_NONE, false, e);
    if (r < 0)
        return r;
    g->asked = true;
    g->most = most;
    g->budget = MAX(most * GUEST_CHANGES_FACTOR, (size_t)GUEST_CHANGES_LEAST);
    return 0;
}

/* Absolute, and nothing in it that leads elsewhere than it says. */
static bool guest_path_is_good(const char *path, size_t size)
{
    if (size < 2 || path[0] != '/' || memchr(path, 0, size))
        return false;
    for (size_t at = 0; at < size;) {
        const char *part = path + at + 1, *slash = memchr(part, '/', size - at - 1);
        size_t n = slash ? (size_t)(slash - part) : size - at - 1;
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        at += 1 + n;
    }
    return true;
}

/* As beyond `most`: what is less interesting goes. */
static void guest_changes_fit(struct guest_changes *g, size_t most)
{
    changes_trim(&g->c, most);
    g->kept = 0;
    for (size_t i = 0; i < g->c.count; i++)
        g->kept += strlen(g->c.list[i].path);
}

static int guest_change_add(struct guest_changes *g, const struct agent_change *a, const char *path)
{
    mode_t type = a->mode & S_IFMT;
    if (a->kind > CHANGE_DELETED || a->flags > 1 || (a->mode & ~(uint32_t)(S_IFMT | 07777)) ||
        (a->kind == CHANGE_DELETED) != (a->mode == 0) || !guest_path_is_good(path, a->name_size))
        return -EBADMSG;
    struct changes *c = &g->c;
    if (c->count >= 2 * g->most + 64)
        guest_changes_fit(g, g->most);
    if (g->kept + a->name_size > GUEST_CHANGES_KEPT)
        guest_changes_fit(g, c->count / 2);
    struct change new = {
        .kind = (enum change_kind)a->kind,
        .mode = a->mode,
        .size = type == S_IFREG ? a->size : 0,
        .path = str_ndup(path, a->name_size),
    };
    new.notes = change_notes(new.path, type == S_IFDIR ? 0 : a->mode);
    if (a->flags)
        new.notes |= CHANGE_CAPABILITY;
    if (type == S_IFDIR)
        new.notes = 0;
    g->kept += a->name_size;
    c->bytes += new.size;
    c->list = mem_grow(c->list, c->count + 1, sizeof(*c->list));
    c->list[c->count++] = new;
    return 0;
}

int guest_changes_take(struct guest_changes *g, const char *data, size_t size)
{
    buf_add(&g->part, data, size);
    g->read += size;
    size_t at = 0;
    struct agent_change head;
    while (g->part.used - at >= sizeof(head)) {
        memcpy(&head, g->part.data + at, sizeof(head));
        if (head.name_size > GUEST_CHANGE_PATH)
            return -EBADMSG;
        if (g->part.used - at - sizeof(head) < head.name_size)
            break;
        if (g->budget == 0 || g->read > GUEST_CHANGES_READ) {
            g->c.cut = true;
            buf_drop(&g->part, g->part.used);
            return 1;
        }
        g->budget--;
        int r = guest_change_add(g, &head, g->part.data + at + sizeof(head));
        if (r < 0)
            return r;
        at += sizeof(head) + head.name_size;
    }
    buf_drop(&g->part, at);
    return 0;
}

int guest_changes_end(struct agent_host *h, uint32_t code, const struct agent_host_events *events,
                      void *data)
{
    struct guest_changes *g = &h->guest->changes;
    struct error e;
    if (code == 0 && g->part.used && !g->c.cut)
        return -EBADMSG;
    if (code)
        error_errno(&e, (int)code, "reading the changes in the guest");
    changes_trim(&g->c, g->most);
    struct changes c = g->c;
    g->c = (struct changes){0};
    guest_changes_done(g);
    if (events->changes)
        events->changes(data, &c, code && !c.cut ? &e : NULL);
    changes_done(&c);
    return 0;
}

void guest_changes_drop(struct agent_host *h, const struct error *why,
                        const struct agent_host_events *events, void *data)
{
    struct changes none = {0};
    guest_changes_done(&h->guest->changes);
    if (events->changes)
        events->changes(data, &none, why);
}
