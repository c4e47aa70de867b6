#include "base/dirs.h"

#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The home of a line "name:password:uid:gid:gecos:home:shell" if it is `uid`'s; else NULL. */
static char *dirs_home_of_line(const char *line, size_t length, uid_t uid)
{
    const char *field[7];
    size_t count = 0;
    field[count++] = line;
    for (size_t i = 0; i < length && count < ARRAY_SIZE(field); i++)
        if (line[i] == ':')
            field[count++] = line + i + 1;
    if (count < 7)
        return NULL;
    autofree char *number = str_ndup(field[2], (size_t)(field[3] - field[2] - 1));
    uint64_t n;
    if (str_to_uint(number, &n) < 0 || n != uid || field[5][0] != '/')
        return NULL;
    return str_ndup(field[5], (size_t)(field[6] - field[5] - 1));
}

/* Reads /etc/passwd itself: the name service costs more than all else a start does. */
static char *dirs_home_looked_up(uid_t uid)
{
    autofree char *text = NULL;
    if (file_read(AT_FDCWD, "/etc/passwd", 16u << 20, &text, NULL) < 0)
        return NULL;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        char *home = dirs_home_of_line(line, length, uid);
        if (home)
            return home;
        line += length;
        line += *line == '\n';
    }
    return NULL;
}

/* A start asks several times; whose home is where does not change meanwhile. */
static char *dirs_home_by_database(uid_t uid)
{
    static char *home; /* of `of`; NULL: none */
    static uid_t of;
    static bool asked;
    if (!asked || of != uid) {
        free(home);
        home = dirs_home_looked_up(uid);
        of = uid;
        asked = true;
    }
    return home ? str_dup(home) : NULL;
}

static const char *dirs_absolute_env(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] == '/' ? value : NULL;
}

static bool dirs_is_ours(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* A runtime folder that belongs to somebody else (as `su` leaves in the environment) is not ours.
 */
static char *dirs_runtime(uid_t uid)
{
    const char *xdg = dirs_absolute_env("XDG_RUNTIME_DIR");
    if (xdg && (dirs_is_ours(xdg) || access(xdg, F_OK) < 0))
        return str_join_path(xdg, "cofferdam");
    if (uid == 0)
        return str_dup("/run/cofferdam");
    autofree char *usual = str_format("/run/user/%u", (unsigned)uid);
    if (dirs_is_ours(usual))
        return str_join_path(usual, "cofferdam");
    return str_format("/tmp/cofferdam-%u", (unsigned)uid);
}

static char *dirs_one(const char *variable, const char *of_root, const char *home,
                      const char *below_home)
{
    const char *xdg = dirs_absolute_env(variable);
    if (xdg)
        return str_join_path(xdg, "cofferdam");
    if (of_root && geteuid() == 0)
        return str_dup(of_root);
    autofree char *folder = str_join_path(home, below_home);
    return str_join_path(folder, "cofferdam");
}

int dirs_init(struct dirs *d, struct error *e)
{
    (void)e;
    uid_t uid = geteuid();
    const char *said = dirs_absolute_env("HOME");
    char *home = dirs_home_by_database(uid);
    if (!home)
        home = str_dup(said ? said : "/");
    const char *base = said ? said : home;
    *d = (struct dirs){
        .runtime = dirs_runtime(uid),
        .state = dirs_one("XDG_STATE_HOME", "/var/lib/cofferdam", base, ".local/state"),
        .data = dirs_one("XDG_DATA_HOME", "/var/lib/cofferdam", base, ".local/share"),
        .cache = dirs_one("XDG_CACHE_HOME", "/var/cache/cofferdam", base, ".cache"),
        .config = dirs_one("XDG_CONFIG_HOME", NULL, base, ".config"),
        .home = home,
    };
    return 0;
}

void dirs_done(struct dirs *d)
{
    free(d->runtime);
    free(d->state);
    free(d->data);
    free(d->cache);
    free(d->config);
    free(d->home);
    *d = (struct dirs){0};
}
