/* Which libvirts there are to ask, and all of them asked at once. */
#include "app/cli/foreign.h"

#include "backends/libvirt/libvirt.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/module.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PLACES_MS = 3000, PLACES_MOST = 4 << 20, PLACES_REST_MS = 30000 };

/* Those whose daemon listens, or does not, at a known socket of this host. */
static const struct place_local {
    const char *uri;
    const char *variable, *socket; /* below what the variable says; NULL: as it stands */
} place_locals[] = {
    {"qemu:///session", "XDG_RUNTIME_DIR", "libvirt/libvirt-sock"     },
    {"qemu:///system",  NULL,              "/run/libvirt/libvirt-sock"},
};

/* 1: somebody listens; 0: nobody does; -ENOENT: there never was one, or it is not for us. */
static int place_listens(const struct place_local *p)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *base = p->variable ? getenv(p->variable) : "/";
    autofree char *path = base && base[0] == '/' ? str_join_path(base, p->socket) : NULL;
    if (!path || strlen(path) >= sizeof(a.sun_path) || access(path, W_OK) < 0)
        return -ENOENT;
    strcpy(a.sun_path, path);
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
    return r == 0 || errno == EAGAIN;
}

static void places_add(struct foreign_places *p, const char *uri, bool silent)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_equal(p->of[i].uri, uri))
            return;
    p->of = mem_grow(p->of, p->count + 1, sizeof(p->of[0]));
    p->of[p->count++] = (struct foreign_place){.uri = str_dup(uri), .silent = silent};
}

/* A person's profiles and the host's, where there are any; what ships names no libvirt. */
static void places_of_profiles(struct foreign_places *p)
{
    struct profile_path path;
    struct profile_entry *list = NULL;
    struct error ignored;
    size_t count = 0;
    bool any = false;
    if (profile_path_init(&path, &ignored) < 0)
        return;
    for (size_t i = 1; i < ARRAY_SIZE(path.dirs); i++) {
        autofree char *dir = path.dirs[i] ? str_join_path(path.dirs[i], "profiles") : NULL;
        any = any || (dir && access(dir, X_OK) == 0);
    }
    if (any && profile_list(&path, "profiles", &list, &count, &ignored) == 0) {
        for (size_t i = 0; i < count; i++) {
            struct settings s;
            settings_init(&s);
            if (!list[i].broken && profile_load(&path, list[i].name, &s, &ignored) == 0 &&
                !str_empty(settings_text(&s, KEY_MACHINE_URI)))
                places_add(p, settings_text(&s, KEY_MACHINE_URI), false);
            settings_done(&s);
        }
        profile_list_free(list, count);
    }
    profile_path_done(&path);
}

void foreign_places_find(struct foreign_places *ret)
{
    const char *wanted = getenv("LIBVIRT_DEFAULT_URI");
    *ret = (struct foreign_places){0};
    for (size_t i = 0; i < ARRAY_SIZE(place_locals); i++) {
        int listens = place_listens(&place_locals[i]);
        if (listens >= 0)
            places_add(ret, place_locals[i].uri, !listens);
    }
    if (!str_empty(wanted) && !str_equal(wanted, place_locals[0].uri) &&
        !str_equal(wanted, place_locals[1].uri))
        places_add(ret, wanted, false);
    places_of_profiles(ret);
}

void foreign_places_absent(const struct foreign_places *known, struct foreign_places *ret)
{
    *ret = (struct foreign_places){0};
    for (size_t i = 0; i < ARRAY_SIZE(place_locals); i++) {
        bool there = false;
        for (size_t k = 0; k < known->count; k++)
            there = there || str_equal(known->of[k].uri, place_locals[i].uri);
        if (there)
            continue;
        places_add(ret, place_locals[i].uri, true);
        ret->of[ret->count - 1].why = str_dup("its daemon is not there");
    }
}

/*
 * Whoever asks again and again, as stats --watch does, is not kept waiting by one that hangs, nor
 * does that get a new question each second.
 */
static struct place_hung {
    char *uri; /* owned */
    uint64_t until_ms;
} * places_hung; /* owned */
static size_t places_hung_count;

static struct place_hung *place_find_hung(const char *uri)
{
    for (size_t i = 0; i < places_hung_count; i++)
        if (str_equal(places_hung[i].uri, uri))
            return &places_hung[i];
    return NULL;
}

static bool place_rests(const char *uri)
{
    const struct place_hung *h = place_find_hung(uri);
    return h && loop_now_ms() < h->until_ms;
}

static void place_note_hung(const char *uri)
{
    struct place_hung *h = place_find_hung(uri);
    if (!h) {
        places_hung = mem_grow(places_hung, places_hung_count + 1, sizeof(places_hung[0]));
        h = &places_hung[places_hung_count++];
        h->uri = str_dup(uri);
    }
    h->until_ms = loop_now_ms() + PLACES_REST_MS;
}

void foreign_places_done(struct foreign_places *p)
{
    for (size_t i = 0; i < p->count; i++) {
        json_decref(p->of[i].domains);
        free(p->of[i].uri);
        free(p->of[i].why);
    }
    free(p->of);
    *p = (struct foreign_places){0};
}

/* `one`: what was said of it; NULL: it was not asked, or nothing was said. */
static void place_take(struct foreign_place *p, const json_t *one, bool late)
{
    const char *why = json_string_value(json_object_get(one, "why"));
    json_t *domains = json_object_get(one, "domains");
    if (json_is_array(domains)) {
        p->domains = json_incref(domains);
        return;
    }
    if (late || json_is_true(json_object_get(one, "hangs")))
        place_note_hung(p->uri);
    p->why = str_dup(why ? why : late ? "its daemon hangs" : "its daemon refuses");
}

bool foreign_places_begin(struct foreign_places *p, bool figures, struct spawn_running *ret)
{
    autofree char *program = module_program(DOMAIN_PROGRAM);
    autofree const char **argv = mem_zero(p->count + 3, sizeof(argv[0]));
    size_t argc = 0;
    struct error e;
    argv[argc++] = program;
    argv[argc++] = figures ? "stats" : "list";
    for (size_t i = 0; i < p->count; i++) {
        p->of[i].asked = !p->of[i].silent && !place_rests(p->of[i].uri);
        if (p->of[i].asked)
            argv[argc++] = p->of[i].uri;
    }
    if (argc == 2 || spawn_run_begin(argv, PLACES_MS, ret, &e) < 0)
        return false;
    ret->name = DOMAIN_PROGRAM;
    return true;
}

void foreign_places_hear(struct foreign_places *p, struct spawn_running *s)
{
    autofree char *said = NULL;
    struct error e;
    int r = s ? spawn_run_hear(s, PLACES_MOST, &said, &e) : -ENOENT;
    json_t *all = r == 0 ? json_loads(said, 0, NULL) : NULL; /* cut off, it is none */
    for (size_t i = 0, answer = 0; i < p->count; i++) {
        struct foreign_place *place = &p->of[i];
        if (place->asked)
            place_take(place, json_array_get(all, answer++), r == -ETIMEDOUT);
        else
            place->why = str_dup(place->silent ? "its daemon is not there" : "its daemon hangs");
    }
    json_decref(all);
}

void foreign_places_ask(struct foreign_places *p, bool figures)
{
    struct spawn_running s;
    struct error ignored;
    bool begun = foreign_places_begin(p, figures, &s);
    foreign_places_hear(p, begun ? &s : NULL);
    if (begun)
        spawn_run_end(&s, 0, NULL, NULL, &ignored);
}
