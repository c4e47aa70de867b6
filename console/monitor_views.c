#include "console/monitor_parts.h"

struct view *view_find(struct console *c, const struct peer *p)
{
    for (struct view *v = c->views; v; v = v->next)
        if (v->peer == p)
            return v;
    return NULL;
}

unsigned monitor_viewers(const struct monitor *m)
{
    unsigned count = 0;
    for (const struct peer *p = m->peers; p; p = p->next) {
        bool views = false;
        for (struct console *c = m->consoles; c && !views; c = c->next)
            views = view_find(c, p);
        count += views;
    }
    return count;
}

unsigned views_count(const struct console *c)
{
    unsigned count = 0;
    for (const struct view *v = c->views; v; v = v->next)
        count++;
    return count;
}

void console_tell_roles(struct console *c)
{
    uint32_t viewers = views_count(c);
    for (struct view *v = c->views; v; v = v->next) {
        struct wire_role role = {c->typist == v, viewers};
        link_put(&v->peer->link, WIRE_ROLE, c->number, 0, &role, sizeof(role), NULL, 0);
    }
}

void console_give(struct console *c, struct view *v)
{
    struct peer *before = c->typist ? c->typist->peer : NULL;
    c->typist = v;
    if (before)
        before->full = before->blocked = false;
    if (v && c->terminal && c->started)
        console_resize(c, v->rows, v->cols);
    console_tell_roles(c);
    if (!c->terminal)
        streams_resume(c);
}

struct view *view_add(struct console *c, struct peer *p, const struct wire_attach *a)
{
    struct view *v = view_find(c, p);
    if (!v) {
        v = NEW(struct view);
        v->peer = p;
        v->next = c->views;
        c->views = v;
    }
    v->read_only = a->read_only;
    v->whole = true;
    v->rows = a->rows;
    v->cols = a->cols;
    if (v->read_only && c->typist == v)
        c->typist = NULL;
    if (!c->terminal)
        streams_replay(c, v);
    if (!c->typist && !v->read_only)
        console_give(c, v);
    else
        console_tell_roles(c);
    return v;
}

void view_remove(struct console *c, struct view *v)
{
    struct view **at = &c->views;
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    bool typed = c->typist == v;
    if (typed) {
        c->typist = NULL;
        v->peer->full = v->peer->blocked = false;
    }
    free(v);
    if (!typed) {
        console_tell_roles(c);
        return;
    }
    /* the keyboard goes to whoever has waited longest, so that nobody has to ask for an orphan */
    struct view *heir = NULL;
    for (struct view *w = c->views; w; w = w->next)
        if (!w->read_only)
            heir = w;
    console_give(c, heir);
}

void views_drop_peer(struct monitor *m, struct peer *p)
{
    for (struct console *c = m->consoles; c; c = c->next) {
        struct view *v = view_find(c, p);
        if (v)
            view_remove(c, v);
        if (c->starter == p)
            c->starter = NULL;
    }
}
