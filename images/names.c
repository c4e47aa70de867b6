#include "images/names.h"

#include <string.h>

enum { NAME_MAX_BYTES = 255, NAME_TAG_MAX = 128 };

static const char name_lower[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char name_tag[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

static bool name_is_tag(const char *s)
{
    return *s && strlen(s) <= NAME_TAG_MAX && strspn(s, name_tag) == strlen(s) && *s != '.' &&
           *s != '-';
}

/* A part of a path: letters and digits, between them single '.', '_', '__' or dashes. */
static bool name_is_part(const char *s, size_t n)
{
    bool last = false; /* a letter or digit */
    for (size_t i = 0; i < n; i++) {
        bool plain = memchr(name_lower, s[i], sizeof(name_lower) - 1) != NULL;
        if (!plain && s[i] != '.' && s[i] != '_' && s[i] != '-')
            return false;
        if (!plain && (i == 0 || (s[i] == '.' && !last)))
            return false;
        last = plain;
    }
    return n > 0 && last;
}

/* "host", "host:5000", "localhost": the first part, if it says where. */
static bool name_is_host(const char *s, size_t n)
{
    const char *colon = memchr(s, ':', n);
    size_t host = colon ? (size_t)(colon - s) : n;
    for (size_t i = host + 1; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return name_is_part(s, host) && (!colon || n - host > 1);
}

static bool name_is_path(const char *s, size_t n)
{
    for (bool first = true;; first = false) {
        const char *slash = memchr(s, '/', n);
        size_t part = slash ? (size_t)(slash - s) : n;
        if (!(first && slash ? name_is_host(s, part) : name_is_part(s, part)))
            return false;
        if (!slash)
            return true;
        s += part + 1;
        n -= part + 1;
    }
}

/* What would be taken for a digest: a stranger's name must not stand before somebody's image. */
static bool name_is_digest(const char *s, size_t n)
{
    return (n == 6 && memcmp(s, "sha256", 6) == 0) ||
           (n == 64 && strspn(s, "0123456789abcdef") >= 64);
}

char *image_name_plain(const char *name, struct error *e)
{
    static const char *const usual[] = {"docker.io/library/", "docker.io/", "localhost/"};
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
        if (str_starts(name, usual[i])) {
            name += strlen(usual[i]);
            break;
        }
    }
    const char *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
    if (colon && slash && colon < slash)
        colon = NULL;
    size_t path = colon ? (size_t)(colon - name) : strlen(name);
    const char *tag = colon ? colon + 1 : "latest";
    /* with the tag it gets: what comes out must be a name again */
    if (path + 1 + strlen(tag) > NAME_MAX_BYTES || !name_is_path(name, path) || !name_is_tag(tag) ||
        name_is_digest(name, path)) {
        autofree char *shown = str_escape(name, strnlen(name, 100));
        error_set(e, EINVAL, "\"%s\" is no name of an image: [HOST/]NAME[:TAG], lower case", shown);
        return NULL;
    }
    return str_format("%.*s:%s", (int)path, name, tag);
}

char *image_name_of_file(const char *path)
{
    static const char *const endings[] = {".gz",  ".zst", ".xz",   ".bz2", ".tgz", ".tar",
                                          ".oci", ".lz4", ".lzma", ".lz",  ".Z"};
    const char *base = strrchr(path, '/');
    autofree char *name = str_dup(base ? base + 1 : path);
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
            if (str_ends(name, endings[i])) {
                name[strlen(name) - strlen(endings[i])] = '\0';
                again = true;
            }
        }
    }
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    struct error ignored;
    return strchr(name, ':') ? NULL : image_name_plain(name, &ignored);
}
