/* Domains of other programs: heard of by our own program's `domain watch`, shown beside our own. */
#include "ui/world.h"

#include "base/fd.h"
#include "base/loop.h"

#include <jansson.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHERS_LINE_MOST = 4 << 20, OTHERS_READS = 8 };

/* One that had something to tell is missed; where there is no libvirt there may be one some day. */
enum { OTHERS_AGAIN_MS = 10000, OTHERS_LOOK_MS = 30000 };

/* One libvirt. */
struct others_place {
    char *uri;                 /* owned */
    struct state_record *list; /* owned */
    size_t count;
};

struct world_others {
    int output, pidfd; /* owned; FD_NONE: it has ended, and is nobody's zombie */
    uint64_t again_ms; /* then it is begun anew */
    struct buf line;
    struct others_place *places; /* owned */
    size_t places_count;
    struct state_record *own; /* owned; as they were listed last */
    size_t own_count;
    bool listed; /* they have been */
};

static void others_begin(const struct world *w, struct world_others *o)
{
    static const char *const args[] = {"domain", "watch", NULL};
    struct error ignored; /* what is not there says so in `doctor` */
    if (w->host->reporter(args, &o->output, &o->pidfd, &ignored) == 0)
        fd_nonblock(o->output);
    else
        o->again_ms = loop_now_ms() + OTHERS_LOOK_MS;
}

struct world_others *world_others_new(void)
{
    struct world_others *o = NEW(struct world_others);
    o->output = o->pidfd = FD_NONE;
    return o;
}

/* Nobody waits for one that hangs. */
static bool others_reaped(struct world_others *o)
{
    siginfo_t info = {0};
    if (o->pidfd >= 0 && waitid(P_PIDFD, (id_t)o->pidfd, &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid == 0)
        return false;
    o->pidfd = fd_close(o->pidfd);
    return true;
}

static void others_close(struct world_others *o)
{
    o->output = fd_close(o->output);
    o->line.used = 0;
    if (o->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, o->pidfd, SIGKILL, NULL, 0);
    others_reaped(o);
}

void world_others_free(struct world_others *o)
{
    if (!o)
        return;
    others_close(o);
    fd_close(o->pidfd);
    for (size_t i = 0; i < o->places_count; i++) {
        state_list_free(o->places[i].list, o->places[i].count);
        free(o->places[i].uri);
    }
    free(o->places);
    state_list_free(o->own, o->own_count);
    buf_done(&o->line);
    free(o);
}

int world_others_fd(const struct world_others *o)
{
    return o->output;
}

/* --- what is told -------------------------------------------------------------------------------
 */

static enum state_phase others_phase(const char *state)
{
    if (str_equal(state, "paused") || str_equal(state, "suspended"))
        return STATE_PAUSED;
    if (str_equal(state, "stopping"))
        return STATE_STOPPING;
    return str_equal(state, "off") || str_equal(state, "crashed") ? STATE_EXITED : STATE_RUNNING;
}

/* As one of ours is known, with the word by which every verb knows it as its id. */
static struct state_record others_record(const json_t *one, const char *uri, const char *why)
{
    const char *name = json_string_value(json_object_get(one, "name"));
    return (struct state_record){
        .id = str_format(UI_FOREIGN "%s@%s", name ? name : "", uri),
        .name = str_format(UI_FOREIGN "%s", name ? name : ""),
        .profile = str_dup("-"),
        .boundary = str_dup("vm"),
        .runtime = str_dup("libvirt"),
        .image = str_dup(""),
        .command = str_format("not ours; %.*s", (int)strcspn(uri, "?"), uri),
        .phase = others_phase(json_string_value(json_object_get(one, "state"))),
        .reason = why ? str_format("%s (%.*s)", why, (int)strcspn(uri, "?"), uri) : NULL,
        .kept = true,
    };
}

static struct others_place *others_place(struct world_others *o, const char *uri)
{
    for (size_t i = 0; i < o->places_count; i++)
        if (str_equal(o->places[i].uri, uri))
            return &o->places[i];
    o->places = mem_grow(o->places, o->places_count + 1, sizeof(*o->places));
    o->places[o->places_count] = (struct others_place){.uri = str_dup(uri)};
    return &o->places[o->places_count++];
}

static void others_take(struct world_others *o, const char *text, size_t size)
{
    json_t *j = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *one;
    const char *uri = json_string_value(json_object_get(j, "uri"));
    const char *why = json_string_value(json_object_get(j, "why"));
    json_t *domains = json_object_get(j, "domains");
    size_t i;
    if (uri && json_is_array(domains)) {
        struct others_place *p = others_place(o, uri);
        state_list_free(p->list, p->count);
        p->count = 0;
        p->list = mem_zero(json_array_size(domains) + 1, sizeof(p->list[0]));
        json_array_foreach(domains, i, one)
        {
            p->list[p->count++] = others_record(one, uri, why);
        }
    }
    json_decref(j);
}

/* What was known of them stays, with the reason. */
static void others_end(struct world_others *o)
{
    others_close(o);
    o->again_ms = loop_now_ms() + (o->places_count ? OTHERS_AGAIN_MS : OTHERS_LOOK_MS);
    for (size_t i = 0; i < o->places_count; i++)
        for (size_t k = 0; k < o->places[i].count; k++) {
            const char *uri = o->places[i].uri;
            free(o->places[i].list[k].reason);
            o->places[i].list[k].reason =
                str_format("its watcher ended (%.*s)", (int)strcspn(uri, "?"), uri);
        }
}

void world_others_tick(struct world *w)
{
    struct world_others *o = w->others;
    if (w->settings_known && !w->model->own_only && o->output < 0 && others_reaped(o) &&
        loop_now_ms() >= o->again_ms)
        others_begin(w, o);
}

void world_others_again(struct world *w)
{
    w->others->again_ms = 0;
    world_others_tick(w);
}

void world_others_read(struct world *w)
{
    struct world_others *o = w->others;
    char piece[65536];
    bool news = false, ended = false;
    for (int i = 0; i < OTHERS_READS; i++) {
        ssize_t n = read(o->output, piece, sizeof(piece));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0 || o->line.used > OTHERS_LINE_MOST) {
            ended = true;
            break;
        }
        buf_add(&o->line, piece, (size_t)n);
    }
    for (const char *end; o->line.used && (end = memchr(o->line.data, '\n', o->line.used));) {
        size_t size = (size_t)(end - o->line.data) + 1;
        others_take(o, o->line.data, size);
        memmove(o->line.data, o->line.data + size, o->line.used - size);
        o->line.used -= size;
        news = true;
    }
    if (ended)
        others_end(o);
    if ((news || ended) && o->listed)
        world_others_list(w, NULL, 0);
}

void world_others_list(struct world *w, struct state_record *list, size_t count)
{
    struct world_others *o = w->others;
    if (list || !o->listed) {
        state_list_free(o->own, o->own_count);
        o->own = list;
        o->own_count = count;
        o->listed = true;
    }
    size_t all = o->own_count;
    for (size_t i = 0; i < o->places_count; i++)
        all += o->places[i].count;
    autofree struct state_record *both = mem_zero(all + 1, sizeof(both[0]));
    if (o->own_count)
        memcpy(both, o->own, o->own_count * sizeof(both[0]));
    all = o->own_count;
    for (size_t i = 0; i < o->places_count; i++)
        for (size_t k = 0; k < o->places[i].count; k++)
            both[all++] = o->places[i].list[k];
    ui_model_list(w->model, both, all);
}
