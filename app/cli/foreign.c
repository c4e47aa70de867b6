#include "app/cli/foreign.h"

#include "backends/libvirt/libvirt.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/module.h"
#include "base/spawn.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FOREIGN_MS = 2000, FOREIGN_CONTROL_MS = 15000, FOREIGN_MOST = 4 << 20 };

static const struct foreign_place {
    const char *uri, *cache;
    const char *variable, *socket; /* below what the variable says; NULL: as it stands */
} foreign_places[] = {
    {"qemu:///session", "domains-session", "XDG_RUNTIME_DIR", "libvirt/libvirt-sock"     },
    {"qemu:///system",  "domains-system",  NULL,              "/run/libvirt/libvirt-sock"},
};

bool foreign_is(const char *word)
{
    return str_starts(word, FOREIGN_PREFIX) && word[strlen(FOREIGN_PREFIX)];
}

/* 1: somebody listens; 0: nobody does; -ENOENT: there never was one, or it is not for us. */
static int foreign_listens(const struct foreign_place *p)
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

static json_t *foreign_ask(const struct foreign_place *p, const char **ret_why)
{
    autofree char *program = module_program(DOMAIN_PROGRAM), *text = NULL;
    const char *const argv[] = {program, "list", p->uri, NULL};
    char *said = NULL;
    int status = 0;
    struct error e;
    int r = spawn_run(argv, FOREIGN_MS, FOREIGN_MOST, &status, &said, &e);
    text = said;
    *ret_why = r == -ETIMEDOUT ? "its daemon hangs" : "its daemon refuses";
    json_t *list = r == 0 && status == 0 ? json_loads(said, 0, NULL) : NULL;
    return json_is_array(list) ? list : NULL;
}

static json_t *foreign_cached(int dir, const struct foreign_place *p)
{
    autofree char *text = NULL;
    size_t size;
    json_t *list = dir >= 0 && file_read(dir, p->cache, FOREIGN_MOST, &text, &size) == 0
                       ? json_loadb(text, size, 0, NULL)
                       : NULL;
    return json_is_array(list) ? list : NULL;
}

static void foreign_keep(int dir, const struct foreign_place *p, const json_t *list)
{
    autofree char *text = json_dumps(list, JSON_COMPACT);
    if (text && dir >= 0)
        file_write_whole(dir, p->cache, text, strlen(text), 0600, false);
}

static void foreign_add(json_t *to, json_t *list, const struct foreign_place *p, const char *why)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
    {
        if (!json_is_object(one) || json_is_true(json_object_get(one, "ours")))
            continue;
        json_object_set_new(one, "uri", json_string(p->uri));
        json_object_del(one, "ours");
        if (why)
            json_object_set_new(one, "stale", json_string(why));
        json_array_append(to, one);
    }
}

json_t *foreign_list(const struct dirs *d)
{
    json_t *all = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(foreign_places); i++) {
        const struct foreign_place *p = &foreign_places[i];
        int listens = foreign_listens(p);
        if (listens < 0)
            continue;
        struct error ignored;
        const char *why = "its daemon is not there";
        autoclose int dir = file_open_private_dir(d->cache, true, &ignored);
        json_t *list = listens ? foreign_ask(p, &why) : NULL;
        if (list) {
            foreign_keep(dir, p, list);
            why = NULL;
        } else {
            list = foreign_cached(dir, p);
        }
        all = all ? all : json_array();
        foreign_add(all, list, p, why);
        json_decref(list);
    }
    return all;
}

int foreign_control(const struct cli *c, const char *word)
{
    static const char *const can[] = {"stop", "kill", "pause", "resume"};
    const char *name = word + strlen(FOREIGN_PREFIX);
    autofree char *program = module_program(DOMAIN_PROGRAM);
    struct error e;
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(can); i++)
        known = known || str_equal(can[i], c->verb->name);
    if (!known) {
        error_set(&e, ENOTSUP, "%s is not ours: stop, kill, pause and resume are for it", word);
        return cli_fail(c, &e);
    }
    error_set(&e, ENOENT, "%s: there is no libvirt to ask", word);
    for (size_t i = 0; i < ARRAY_SIZE(foreign_places); i++) {
        const struct foreign_place *p = &foreign_places[i];
        const char *const argv[] = {program, "control", p->uri, name, c->verb->name, NULL};
        autofree char *said = NULL;
        int status = 0;
        if (foreign_listens(p) != 1)
            continue;
        int r = spawn_run(argv, FOREIGN_CONTROL_MS, 4096, &status, &said, &e);
        if (r == 0 && status == 0)
            return 0;
        autofree char *shown = str_escape_z(said ? str_trim(said) : "");
        if (r == 0)
            error_set(&e, EIO, "%s: %s", word, shown);
    }
    return cli_fail(c, &e);
}
