#include "app/cli/foreign.h"

#include "backends/libvirt/libvirt.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/module.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* cofferdam-domain gives up a little earlier. */
enum {
    FOREIGN_CONTROL_MS = 15000,
    FOREIGN_WORK_MS = 1900000,
    FOREIGN_MOST = 4 << 20,
    FOREIGN_HANGS = 124
};

bool foreign_is(const char *word)
{
    return str_starts(word, FOREIGN_PREFIX) && word[strlen(FOREIGN_PREFIX)];
}

/* --- what was last heard ---------------------------------------------------------------------- */

/* "domains-qemu____session": a URI as a file's name. */
static char *foreign_file(const char *uri)
{
    char *name = str_format("domains-%s", uri);
    for (char *at = name; *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", *at))
            *at = '_';
    return name;
}

static json_t *foreign_cached(int dir, const char *uri)
{
    autofree char *text = NULL, *name = foreign_file(uri);
    size_t size;
    json_t *list = dir >= 0 && file_read(dir, name, FOREIGN_MOST, &text, &size) == 0
                       ? json_loadb(text, size, 0, NULL)
                       : NULL;
    return json_is_array(list) ? list : NULL;
}

static void foreign_keep(int dir, const char *uri, const json_t *list)
{
    autofree char *text = json_dumps(list, JSON_COMPACT), *name = foreign_file(uri), *had = NULL;
    size_t size;
    bool same = text && dir >= 0 && file_read(dir, name, FOREIGN_MOST, &had, &size) == 0 &&
                str_equal(had, text);
    if (text && dir >= 0 && !same) /* putting it in its place takes its time */
        file_write_whole(dir, name, text, strlen(text), 0600, false);
}

/* --- the list --------------------------------------------------------------------------------- */

static void foreign_add(json_t *to, json_t *list, const struct foreign_place *p)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
    {
        if (!json_is_object(one) || json_is_true(json_object_get(one, "ours")))
            continue;
        json_object_set_new(one, "uri", json_string(p->uri));
        json_object_del(one, "ours");
        if (p->why)
            json_object_set_new(one, "stale", json_string(p->why));
        json_array_append(to, one);
    }
}

/* What nobody could ask for is what was last heard, and the reason is said. */
static void foreign_complain(const struct cli *c, const struct foreign_place *p, size_t rows)
{
    if (p->why && (rows || !p->silent))
        fprintf(stderr, "cofferdam %s: %s: %s%s\n", c->verb->name, p->uri, p->why,
                rows ? "; its rows are the last ones known" : "");
}

struct foreign_question {
    struct foreign_places places;
    struct spawn_running program;
    bool begun, heard, figures;
};

struct foreign_question *foreign_begin(bool figures)
{
    struct foreign_question *q = mem_zero(1, sizeof(*q));
    q->figures = figures;
    foreign_places_find(&q->places);
    q->begun = foreign_places_begin(&q->places, figures, &q->program);
    return q;
}

json_t *foreign_hear(const struct cli *c, const struct dirs *d, struct foreign_question *q)
{
    struct foreign_places *places = &q->places;
    struct error ignored;
    json_t *all = places->count ? json_array() : NULL;
    autoclose int dir = places->count ? file_open_private_dir(d->cache, true, &ignored) : FD_NONE;
    foreign_places_hear(places, q->begun ? &q->program : NULL);
    q->heard = true;
    for (size_t i = 0; i < places->count; i++) {
        struct foreign_place *p = &places->of[i];
        json_t *list = p->domains ? json_incref(p->domains) : foreign_cached(dir, p->uri);
        if (p->domains && !q->figures)
            foreign_keep(dir, p->uri, list);
        size_t before = json_array_size(all);
        foreign_add(all, list, p);
        foreign_complain(c, p, json_array_size(all) - before);
        json_decref(list);
    }
    return all;
}

void foreign_end(struct foreign_question *q)
{
    struct error ignored;
    if (!q)
        return;
    if (!q->heard)
        q->program.deadline = 0; /* nobody wants its answer any more */
    if (q->begun)
        spawn_run_end(&q->program, 0, NULL, NULL, &ignored);
    foreign_places_done(&q->places);
    free(q);
}

json_t *foreign_list(const struct cli *c, const struct dirs *d, bool figures)
{
    struct foreign_question *q = foreign_begin(figures);
    json_t *all = foreign_hear(c, d, q);
    foreign_end(q);
    return all;
}

/* --- control ---------------------------------------------------------------------------------- */

int foreign_tell(const char *const *words, unsigned timeout_ms, char **ret_said, struct error *e)
{
    autofree char *program = module_program(DOMAIN_PROGRAM);
    const char *argv[FOREIGN_WORDS_MOST + 2] = {program};
    autofree char *said = NULL;
    int status = 0;
    for (size_t i = 0; i < FOREIGN_WORDS_MOST && words[i]; i++)
        argv[i + 1] = words[i];
    bool bound = spawn_run_bind(true); /* what libvirt has begun goes on without who asked for it */
    int r = spawn_run(argv, timeout_ms, FOREIGN_MOST, &status, &said, e);
    spawn_run_bind(bound);
    if (r < 0)
        return r;
    if (WIFEXITED(status) && WEXITSTATUS(status) == FOREIGN_HANGS)
        return error_set(e, ETIMEDOUT, "its daemon does not answer, and may do it later");
    if (status == 0 && ret_said)
        *ret_said = TAKE(said);
    if (status == 0)
        return 0;
    autofree char *shown = str_escape_z(said ? str_trim(said) : "");
    return error_set(e, EIO, "%s", shown);
}

/* By name or UUID, as cofferdam-domain looks for it; the list has names made safe to show. */
static bool foreign_has(const json_t *list, const char *name)
{
    autofree char *shown = str_escape_z(name);
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
    {
        if (str_equal(shown, json_string_value(json_object_get(one, "name"))) ||
            str_equal(name, json_string_value(json_object_get(one, "uuid"))))
            return true;
    }
    return false;
}

static int foreign_unsure(struct error *e, const char *name, const struct foreign_place *p)
{
    return error_set(
        e, EHOSTUNREACH,
        "%s could not be asked whether it has one of that name (%s): say which libvirt "
        "is meant: " FOREIGN_PREFIX "%s@URI",
        p->uri, p->why, name);
}

/* A daemon whose socket is gone is not asked; what it had when last heard is not another's. */
static int foreign_check_absent(const struct foreign_places *places, const char *name,
                                struct error *e)
{
    struct dirs d;
    struct foreign_places absent;
    int r = dirs_init(&d, e);
    if (r < 0)
        return r;
    autoclose int dir = open(d.cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dirs_done(&d);
    foreign_places_absent(places, &absent);
    for (size_t i = 0; r == 0 && i < absent.count; i++) {
        json_t *list = foreign_cached(dir, absent.of[i].uri);
        if (foreign_has(list, name))
            r = foreign_unsure(e, name, &absent.of[i]);
        json_decref(list);
    }
    foreign_places_done(&absent);
    return r;
}

/* The one place that has it. Everybody has to have been asked: the name alone says no more. */
static int foreign_find(struct foreign_places *places, const char *name,
                        const struct foreign_place **ret, struct error *e)
{
    const struct foreign_place *found = NULL;
    foreign_places_ask(places, false);
    for (size_t i = 0; i < places->count; i++) {
        const struct foreign_place *p = &places->of[i];
        if (!p->domains)
            return foreign_unsure(e, name, p);
        if (!foreign_has(p->domains, name))
            continue;
        if (found)
            return error_set(e, ENOTUNIQ,
                             "%s and %s have one of that name: say which is meant: " FOREIGN_PREFIX
                             "%s@URI",
                             found->uri, p->uri, name);
        found = p;
    }
    int r = foreign_check_absent(places, name, e);
    if (r < 0)
        return r;
    if (!found)
        return error_set(e, ENOENT, "%s",
                         places->count ? "no libvirt here has a domain of that name"
                                       : "there is no libvirt to ask");
    *ret = found;
    return 0;
}

static int foreign_named(const struct foreign_places *places, const char *uri,
                         const struct foreign_place **ret, struct error *e)
{
    for (size_t i = 0; i < places->count; i++)
        if (str_equal(uri, places->of[i].uri)) {
            *ret = &places->of[i];
            return 0;
        }
    return error_set(e, ENOENT, "%s is no libvirt known here", uri);
}

int foreign_resolve(const char *word, struct foreign_places *places,
                    const struct foreign_place **ret_place, char **ret_name, struct error *e)
{
    autofree char *name = str_dup(word + strlen(FOREIGN_PREFIX));
    char *at = strchr(name, '@');
    if (at)
        *at = '\0';
    foreign_places_find(places);
    int r =
        at ? foreign_named(places, at + 1, ret_place, e) : foreign_find(places, name, ret_place, e);
    if (r < 0) {
        foreign_places_done(places);
        return error_wrap(e, "%s", word);
    }
    *ret_name = TAKE(name);
    return 0;
}

int foreign_control(const struct cli *c, const char *word, const char *verb)
{
    autofree char *name = NULL;
    struct foreign_places places;
    const struct foreign_place *place = NULL;
    struct error e;
    int r = foreign_resolve(word, &places, &place, &name, &e);
    if (r < 0)
        return cli_fail(c, &e);
    const char *const words[] = {"control", place->uri, name, verb, NULL};
    bool works = str_equal(verb, "save") || str_equal(verb, "start"); /* with all its memory */
    r = foreign_tell(words, works ? FOREIGN_WORK_MS : FOREIGN_CONTROL_MS, NULL, &e);
    foreign_places_done(&places);
    if (r == 0)
        return 0;
    error_wrap(&e, "%s", word);
    return cli_fail(c, &e);
}
