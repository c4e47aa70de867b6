#include "app/cli/look.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MARK_MOST = 4096 };
#define HASH_MOST (UINT64_C(8) << 30)

static const char *const kind_names[] = {
    [LOOK_EMPTY] = "empty file",    [LOOK_PROGRAM] = "program",
    [LOOK_LIBRARY] = "object file", [LOOK_APPIMAGE] = "AppImage",
    [LOOK_SCRIPT] = "script",       [LOOK_ARCHIVE] = "archive",
    [LOOK_PACKAGE] = "package",     [LOOK_WINDOWS] = "Windows program",
    [LOOK_DISK] = "disk image",     [LOOK_DOCUMENT] = "document",
    [LOOK_TEXT] = "text",           [LOOK_FOLDER] = "folder",
    [LOOK_DATA] = "data",
};

const char *look_kind_name(enum look_kind k)
{
    return kind_names[k];
}

static char *look_xattr(int fd, const char *name)
{
    char value[MARK_MOST];
    ssize_t n = fgetxattr(fd, name, value, sizeof(value));
    return n > 0 ? str_ndup(value, (size_t)n) : NULL;
}

/* "HostUrl=https://…" of Windows' Zone.Identifier, a stream there, a file beside it here. */
static void look_zone(struct look *l, const char *path)
{
    autofree char *zone = str_format("%s:Zone.Identifier", path);
    autofree char *text = NULL;
    if (file_read(AT_FDCWD, zone, MARK_MOST, &text, NULL) < 0)
        return;
    l->marked = true;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        if (!l->url && str_starts(line, "HostUrl="))
            l->url = str_dup(line + strlen("HostUrl="));
        else if (!l->referrer && str_starts(line, "ReferrerUrl="))
            l->referrer = str_dup(line + strlen("ReferrerUrl="));
    }
}

static void look_marks(struct look *l, int fd, const char *path)
{
    l->url = look_xattr(fd, "user.xdg.origin.url");
    l->referrer = look_xattr(fd, "user.xdg.referrer.url");
    l->marked = l->url || l->referrer;
    look_zone(l, path);

    static const char *const suffixes[] = {".asc", ".sig", ".sign", ".minisig", ".sigstore"};
    for (size_t i = 0; i < ARRAY_SIZE(suffixes) && !l->signature; i++) {
        autofree char *beside = str_format("%s%s", path, suffixes[i]);
        if (access(beside, F_OK) == 0)
            l->signature = TAKE(beside);
    }
}

/* What a name promises and the content does not keep: the oldest trick with downloads. */
static void look_disguise(struct look *l, const char *name)
{
    static const char *const harmless[] = {".pdf",  ".txt", ".jpg",  ".jpeg", ".png",
                                           ".gif",  ".doc", ".docx", ".xlsx", ".odt",
                                           ".html", ".mp3", ".mp4",  ".csv",  ".md"};
    bool runs = l->kind == LOOK_PROGRAM || l->kind == LOOK_SCRIPT || l->kind == LOOK_APPIMAGE ||
                l->kind == LOOK_WINDOWS;
    for (size_t i = 0; runs && i < ARRAY_SIZE(harmless); i++)
        if (str_ends(name, harmless[i]))
            strv_take(&l->notes, str_format("its name ends in %s but it is a %s", harmless[i],
                                            kind_names[l->kind]));
    autofree char *shown = str_escape_z(name);
    if (strcmp(shown, name) != 0)
        strv_add(&l->notes, "its name holds characters that hide or reorder text");
}

static void look_hash(struct look *l, int fd)
{
    int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : sha256_fd(fd, HASH_MOST, l->sha256);
    if (r == -EFBIG)
        strv_add(&l->notes, "too big to be hashed in passing");
    else if (r < 0)
        strv_take(&l->notes, str_format("it could not be read to its end: %s", strerror(-r)));
    lseek(fd, 0, SEEK_SET);
}

static void look_mode(struct look *l)
{
    if (!S_ISREG(l->mode))
        return;
    if (l->mode & S_ISUID)
        strv_add(&l->notes, "its set-user-id bit is set; it is not carried into the workload");
    if (l->mode & S_ISGID && l->mode & S_IXGRP)
        strv_add(&l->notes, "its set-group-id bit is set; it is not carried into the workload");
}

int look_at(const char *path, struct look *ret, int *ret_fd, struct error *e)
{
    autofree char *shown = str_escape_z(path);
    autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(e, errno, "%.300s", shown);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return error_set(e, EINVAL, "%.300s: neither a file nor a folder", shown);

    struct look l = {.size = (uint64_t)st.st_size, .mode = st.st_mode};
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (S_ISDIR(st.st_mode)) {
        l.kind = LOOK_FOLDER;
        l.what = str_dup("folder");
        l.size = 0;
    } else {
        look_magic(fd, name, &l);
        look_marks(&l, fd, path);
        look_mode(&l);
        look_hash(&l, fd);
    }
    look_disguise(&l, name);
    if (ret_fd)
        *ret_fd = TAKE_FD(fd);
    *ret = l;
    return 0;
}

void look_done(struct look *l)
{
    free(l->what);
    free(l->loader);
    free(l->loader_argument);
    free(l->url);
    free(l->referrer);
    free(l->signature);
    strv_free(l->notes);
    *l = (struct look){0};
}
