#include "profiles/forms.h"

#include <ctype.h>
#include <signal.h>
#include <strings.h>

enum { NAME_LENGTH_MAX = 63, SIGNAL_MAX = 64 };

const char *const form_capability_names[FORM_CAPABILITIES + 1] = {
    "chown",
    "dac-override",
    "dac-read-search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux-immutable",
    "net-bind-service",
    "net-broadcast",
    "net-admin",
    "net-raw",
    "ipc-lock",
    "ipc-owner",
    "sys-module",
    "sys-rawio",
    "sys-chroot",
    "sys-ptrace",
    "sys-pacct",
    "sys-admin",
    "sys-boot",
    "sys-nice",
    "sys-resource",
    "sys-time",
    "sys-tty-config",
    "mknod",
    "lease",
    "audit-write",
    "audit-control",
    "setfcap",
    "mac-override",
    "mac-admin",
    "syslog",
    "wake-alarm",
    "block-suspend",
    "audit-read",
    "perfmon",
    "bpf",
    "checkpoint-restore",
    NULL,
};

/* "IN", "IN+3", "AX-1", as the C library counts them: it keeps the first two for itself. */
static int form_signal_of_real_time(const char *s, int *ret)
{
    enum { FIRST = 34, LAST = 64 };
    bool up = strncasecmp(s, "IN", 2) == 0;
    uint64_t more = 0;
    if (!up && strncasecmp(s, "AX", 2) != 0)
        return -EINVAL;
    s += 2;
    if (*s && (*s++ != (up ? '+' : '-') || *s < '0' || *s > '9' || str_to_uint(s, &more) < 0))
        return -EINVAL;
    if (more > LAST - FIRST)
        return -ERANGE;
    *ret = up ? FIRST + (int)more : LAST - (int)more;
    return 0;
}

int form_signal(const char *s, int *ret)
{
    uint64_t number;
    if (str_to_uint(s, &number) == 0) {
        if (number < 1 || number > SIGNAL_MAX)
            return -ERANGE;
        *ret = (int)number;
        return 0;
    }
    if (strncasecmp(s, "SIG", 3) == 0)
        s += 3;
    if (strncasecmp(s, "RTM", 3) == 0)
        return form_signal_of_real_time(s + 3, ret);
    for (int i = 1; i < 32; i++) {
        const char *name = sigabbrev_np(i);
        if (name && strcasecmp(name, s) == 0) {
            *ret = i;
            return 0;
        }
    }
    return -EINVAL;
}

static bool forms_same_capability(const char *s, const char *name)
{
    for (; *s && *name; s++, name++)
        if (tolower((unsigned char)*s) != *name && !(*s == '_' && *name == '-'))
            return false;
    return !*s && !*name;
}

int form_capability(const char *s, unsigned *ret)
{
    if (strncasecmp(s, "CAP_", 4) == 0)
        s += 4;
    for (unsigned i = 0; form_capability_names[i]; i++) {
        if (forms_same_capability(s, form_capability_names[i])) {
            *ret = i;
            return 0;
        }
    }
    return -EINVAL;
}

int form_user(const char *s, enum form_user *ret, uint32_t *ret_id)
{
    uint64_t id = 0;
    enum form_user user;
    if (str_equal(s, "self"))
        user = FORM_USER_SELF;
    else if (str_equal(s, "root"))
        user = FORM_USER_ROOT;
    else if (str_equal(s, "ranges"))
        user = FORM_USER_RANGES;
    else if (str_to_uint(s, &id) == 0)
        user = FORM_USER_ID;
    else
        return -EINVAL;
    /* the two highest numbers mean "no such id" to the kernel, as 16 and as 32 bits */
    if (id == 65535 || id >= UINT32_MAX)
        return -ERANGE;
    *ret = user;
    *ret_id = (uint32_t)id;
    return 0;
}

int form_restart(const char *s, enum form_restart *ret, unsigned *ret_most)
{
    static const char counted[] = "on-failure:";
    uint64_t most = 0;
    enum form_restart restart = FORM_RESTART_ON_FAILURE;
    if (str_equal(s, "no"))
        restart = FORM_RESTART_NO;
    else if (str_equal(s, "always"))
        restart = FORM_RESTART_ALWAYS;
    else if (str_starts(s, counted)) {
        if (str_to_uint(s + sizeof(counted) - 1, &most) < 0)
            return -EINVAL;
        if (most < 1 || most > 1000000)
            return -ERANGE;
    } else if (!str_equal(s, "on-failure"))
        return -EINVAL;
    *ret = restart;
    *ret_most = (unsigned)most;
    return 0;
}

/* "x", "ctrl-x" or "^x"; the length used, or 0. */
static size_t forms_one_key(const char *s, char *ret)
{
    size_t length = 0;
    if (strncasecmp(s, "ctrl-", 5) == 0)
        length = 5;
    else if (s[0] == '^' && s[1] && s[1] != ' ')
        length = 1;
    unsigned char c = (unsigned char)s[length];
    if (c <= ' ' || c >= 0x7f)
        return 0;
    if (length) {
        c = (unsigned char)toupper(c);
        if (c < '@' || c > '_')
            return 0;
        c &= 0x1f;
    }
    *ret = (char)c;
    return length + 1;
}

int form_detach_keys(const char *s, char ret_keys[2])
{
    static const struct {
        const char *name, *keys;
    } presets[] = {
        {"default", "ctrl-] d"     },
        {"docker",  "ctrl-p ctrl-q"},
        {"tmux",    "ctrl-b d"     }
    };
    for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
        if (str_equal(s, presets[i].name))
            s = presets[i].keys;

    char two[2];
    size_t used = forms_one_key(s, &two[0]);
    if (!used || s[used] != ' ')
        return -EINVAL;
    s += used;
    s += strspn(s, " ");
    used = forms_one_key(s, &two[1]);
    /* the first key must be one nobody types by the way, the second must differ from it: twice
     * the first is the way to send it */
    if (!used || s[used] || (unsigned char)two[0] >= ' ' || two[0] == two[1])
        return -EINVAL;
    memcpy(ret_keys, two, sizeof(two));
    return 0;
}

bool form_is_absolute(const char *s)
{
    if (*s != '/')
        return false;
    for (const char *part = s; *part;) {
        part += strspn(part, "/");
        size_t length = strcspn(part, "/");
        if ((length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
    }
    return true;
}

static bool forms_is_source(const char *s)
{
    return *s == '/' || str_equal(s, "~") || str_starts(s, "~/") || str_equal(s, ".") ||
           str_starts(s, "./");
}

int form_mount(const char *s, bool modes, struct form_mount *ret)
{
    const char *end = s + strlen(s);
    bool writable = false;
    if (modes && (str_ends(s, ":ro") || str_ends(s, ":rw"))) {
        end -= 3;
        writable = end[2] == 'w';
    }
    const char *colon = memchr(s, ':', (size_t)(end - s));
    autofree char *source = str_ndup(s, (size_t)((colon ? colon : end) - s));
    autofree char *target = colon ? str_ndup(colon + 1, (size_t)(end - colon - 1)) : NULL;
    if (!forms_is_source(source))
        return -EINVAL;
    if (target && (!form_is_absolute(target) || strchr(target, ':')))
        return -EINVAL;
    ret->source = TAKE(source);
    ret->target = TAKE(target);
    ret->writable = writable;
    return 0;
}

void form_mount_done(struct form_mount *m)
{
    free(m->source);
    free(m->target);
    *m = (struct form_mount){0};
}

int form_tmpfs(const char *s, char **ret_target, uint64_t *ret_size)
{
    uint64_t size = 0;
    const char *colon = strchr(s, ':');
    autofree char *target = str_ndup(s, colon ? (size_t)(colon - s) : strlen(s));
    if (!form_is_absolute(target))
        return -EINVAL;
    if (colon) {
        int r = str_to_size(colon + 1, &size);
        if (r < 0)
            return r;
        if (!size)
            return -ERANGE;
    }
    *ret_target = TAKE(target);
    *ret_size = size;
    return 0;
}

bool form_is_name(const char *s)
{
    size_t length = strlen(s);
    if (length < 1 || length > NAME_LENGTH_MAX || !isalnum((unsigned char)*s))
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
            return false;
    return true;
}
