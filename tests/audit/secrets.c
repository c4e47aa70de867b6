/*
 * What the starter has hidden for us to find: files with a marked word in them, all over the host,
 * its environment, its arguments. The word is in /audit/facts in two halves, so that this file does
 * not count as a find.
 */
#include "tests/audit/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char word[256];

static const char *the_word(void)
{
    if (!word[0]) {
        strcpy(word, inside_fact("word-a"));
        strcat(word, inside_fact("word-b"));
    }
    return word;
}

static int c_planted_paths(void)
{
    FILE *f = fopen("/audit/planted", "re");
    char line[4096];
    int count = 0;
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        count++;
        if (strstr(inside_read(line), the_word())) {
            inside_say("%s", line);
            return HOLE;
        }
        struct stat st;
        if (strncmp(line, "/etc/", 5) != 0 && lstat(line, &st) == 0) {
            inside_say("%s can be seen", line);
            return HOLE;
        }
    }
    inside_say("%d paths", count);
    return count ? HELD : SKIP;
}

/* Everything that can be reached, looked through: names, and the contents of small files. */
static bool search(int parent, const char *name, const char *path, int depth, long *left)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return false;
    bool found = false;
    struct dirent *e;
    while (!found && *left > 0 && (e = readdir(d))) {
        char full[4096];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(full, sizeof(full), "%.3000s/%.255s", path, e->d_name);
        if (strcmp(full, "/audit") == 0 || strcmp(full, "/proc") == 0)
            continue;
        if (strstr(e->d_name, the_word()))
            found = true;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        --*left;
        if (S_ISDIR(st.st_mode)) {
            found = found || (depth < 24 && search(dirfd(d), e->d_name, full, depth + 1, left));
        } else if (S_ISREG(st.st_mode) && st.st_size < 4096) {
            char text[4097];
            int f = openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
            ssize_t n = f < 0 ? 0 : read(f, text, sizeof(text) - 1);
            text[n > 0 ? n : 0] = '\0';
            if (f >= 0)
                close(f);
            if (strstr(text, the_word())) {
                inside_say("%s", full);
                found = true;
            }
        }
    }
    closedir(d);
    return found;
}

static int c_everywhere(void)
{
    long left = 400000;
    if (strlen(the_word()) < 8)
        return SKIP;
    return search(AT_FDCWD, "/", "", 0, &left) ? HOLE : HELD;
}

static int c_environment(void)
{
    for (char **e = environ; *e; e++)
        if (strstr(*e, the_word())) {
            inside_say("%s", *e);
            return HOLE;
        }
    return HELD;
}

static int c_environment_names(void)
{
    static const char *const bad[] = {"SSH_AUTH_SOCK", "DISPLAY",  "WAYLAND_DISPLAY",
                                      "XAUTHORITY",    "LD_",      "DBUS_SESSION_BUS_ADDRESS",
                                      "XDG_",          "SUDO_",    "AWS_",
                                      "GPG_",          "GITHUB_",  "TMPDIR",
                                      "OLDPWD",        "BASH_ENV", "SHELL=",
                                      "MAIL="};
    for (char **e = environ; *e; e++)
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            if (strncmp(*e, bad[i], strlen(bad[i])) == 0) {
                inside_say("%s", *e);
                return HOLE;
            }
    return HELD;
}

static int c_arguments(void)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    while (d && (e = readdir(d))) {
        char path[300];
        snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        if (atoi(e->d_name) > 0 && strstr(inside_read(path), the_word()))
            return HOLE;
    }
    return HELD;
}

static int c_people(void)
{
    const char *user = inside_fact("user");
    char needle[128];
    snprintf(needle, sizeof(needle), "%.100s:", user);
    if (*user && strcmp(user, "root") != 0 && strstr(inside_read("/etc/passwd"), needle)) {
        inside_say("%s", user);
        return HOLE;
    }
    return HELD;
}

static int c_secret_files(void)
{
    static const char *const paths[] = {
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssl/private",
        "/etc/fstab",
        "/etc/crypttab",
        "/etc/subuid",
        "/etc/NetworkManager",
        "/root/.ssh",
        "/root/.bash_history",
        "/var/log/syslog",
        "/var/log/auth.log",
        "/var/mail",
        "/var/lib/docker",
        "/var/lib/systemd",
        "/var/lib/NetworkManager",
        "/boot",
        "/lost+found",
        "/media",
        "/data",
        "/run/secrets",
        "/var/spool/cron",
        "/var/backups",
        "/run/utmp",
        "/var/log/wtmp",
        "/run/mount",
        "/run/udev",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], F_OK) == 0) {
            inside_say("%s", paths[i]);
            return HOLE;
        }
    return HELD;
}

static int c_homes(void)
{
    DIR *d = opendir("/home");
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.' && strcmp(e->d_name, "user") &&
            strcmp(e->d_name, "audit-was-here")) {
            inside_say("/home/%s", e->d_name);
            return HOLE;
        }
    d = opendir("/root");
    while (d && (e = readdir(d)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
            strcmp(e->d_name, "audit-was-here")) {
            inside_say("/root/%s", e->d_name);
            return HOLE;
        }
    return HELD;
}

const struct check checks_secrets[] = {
#define ROW(name)       \
    {                   \
#name, c_##name \
    }
    ROW(planted_paths), ROW(everywhere),   ROW(environment), ROW(environment_names), ROW(arguments),
    ROW(people),        ROW(secret_files), ROW(homes),       {NULL, NULL},
};
