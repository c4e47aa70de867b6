/* Whether a text may be a key's value: by its type, its words, its range and its form. */
#include "profiles/forms.h"
#include "profiles/keys.h"

#include <ctype.h>
#include <stdio.h>

/* Whether `item` is one of "a|b|c"; '/' in front stands for any absolute path,
 * ':' behind for anything that goes on so. */
static bool check_is_word(const char *words, const char *item)
{
    size_t length = strlen(item);
    for (const char *word = words; *word; word += *word == '|') {
        size_t next = strcspn(word, "|");
        if (next == length && memcmp(word, item, length) == 0)
            return length > 0;
        if (*word == '/' && *item == '/')
            return true;
        if (next && word[next - 1] == ':' && length > next && memcmp(word, item, next) == 0)
            return true;
        word += next;
    }
    return false;
}

static int check_word(const struct key *k, const char *item, struct error *e)
{
    if (check_is_word(k->words, item))
        return 0;
    autostrv char **words = strv_split(k->words, "|");
    autofree char *shown = str_escape(item, strnlen(item, 64));
    const char *near = str_nearest(item, (const char *const *)words, strv_length(words));
    if (near)
        return error_set(e, EINVAL, "\"%s\" is not known; did you mean \"%s\"?", shown, near);
    autofree char *list = strv_join(words, ", ");
    return error_set(e, EINVAL, "\"%s\" is none of %s", shown, list);
}

/* A number's range, in its own unit. */
static int check_range(const struct key *k, uint64_t value, const char *item, struct error *e)
{
    if (!k->most || (value >= k->least && value <= k->most))
        return 0;
    bool low = value < k->least;
    char bound[32];
    uint64_t number = low ? k->least : k->most;
    if (k->type == KEY_TYPE_SIZE)
        str_from_size(number, bound, sizeof(bound));
    else if (k->type == KEY_TYPE_DURATION)
        str_from_duration(number, bound, sizeof(bound));
    else
        snprintf(bound, sizeof(bound), "%llu", (unsigned long long)number);
    return error_set(e, ERANGE, "%s is too %s: %s %s", item, low ? "small" : "large",
                     low ? "at least" : "at most", bound);
}

static int check_number(const struct key *k, const char *item, struct error *e)
{
    autofree char *shown = str_escape(item, strnlen(item, 64));
    uint64_t value = 0;
    int r = 0;
    const char *form = "a whole number";
    if (k->type == KEY_TYPE_SIZE) {
        r = str_to_size(item, &value);
        form = "a size such as 512M or 2G";
    } else if (k->type == KEY_TYPE_DURATION) {
        r = str_to_duration(item, &value);
        form = "a time such as 90s, 10m or 1h30m";
    } else {
        r = str_to_uint(item, &value);
    }
    if (r < 0)
        return error_set(e, -r, "\"%s\" is not %s", shown, form);
    return check_range(k, value, shown, e);
}

static int check_bool(const char *item, struct error *e)
{
    bool flag;
    if (str_to_bool(item, &flag) == 0)
        return 0;
    autofree char *shown = str_escape(item, strnlen(item, 64));
    return error_set(e, EINVAL, "\"%s\" is neither yes nor no", shown);
}

static int check_decimal(const char *item, struct error *e)
{
    double n;
    autofree char *shown = str_escape(item, strnlen(item, 64));
    if (str_to_decimal(item, &n) < 0)
        return error_set(e, EINVAL, "\"%s\" is not a number such as 2 or 1.5", shown);
    if (n < 0.01 || n > 8192)
        return error_set(e, ERANGE, "%s is not between 0.01 and 8192", shown);
    return 0;
}

static bool check_is_variable(const char *s, bool value_needed)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    while (isalnum((unsigned char)*s) || *s == '_' || *s == '.' || *s == '-')
        s++;
    return *s == '=' || (!*s && !value_needed);
}

static bool check_is_hostname(const char *s)
{
    size_t length = strlen(s);
    if (length < 1 || length > 63 || !isalnum((unsigned char)*s))
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == length;
}

static bool check_is_image(const char *s)
{
    static const char folder[] = "dir:", disk[] = "disk:";
    const char *path = NULL;
    if (str_starts(s, folder))
        path = s + sizeof(folder) - 1;
    else if (str_starts(s, disk))
        path = s + sizeof(disk) - 1;
    if (path)
        return *path == '/' || str_starts(path, "~/") || str_starts(path, "./");
    for (const char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_.-/:@", *p))
            return false;
    return isalnum((unsigned char)*s);
}

static bool check_mount(const char *s, bool modes)
{
    struct form_mount m = {0};
    bool good = form_mount(s, modes, &m) == 0;
    form_mount_done(&m);
    return good;
}

static bool check_tmpfs(const char *s)
{
    autofree char *target = NULL;
    uint64_t size;
    return form_tmpfs(s, &target, &size) == 0;
}

/* Keys whose text or items have a form; the others take any text. */
static bool check_form(enum key_id key, const char *s)
{
    int number;
    unsigned most;
    uint32_t id;
    char two[2];
    enum form_user user;
    enum form_restart restart;
    if (key == KEY_PROFILE_INHERIT || key == KEY_WORKLOAD_PROFILE)
        return form_is_name(s);
    if (key == KEY_ISOLATION_USER)
        return form_user(s, &user, &id) == 0;
    if (key == KEY_ISOLATION_HOSTNAME)
        return check_is_hostname(s);
    if (key == KEY_FILES_IMAGE || key == KEY_WORKLOAD_IMAGE)
        return check_is_image(s);
    if (key == KEY_FILES_WORKDIR)
        return form_is_absolute(s);
    if (key == KEY_FILES_HIDE)
        return form_is_absolute(s) && strspn(s, "/") != strlen(s);
    if (key == KEY_FILES_MOUNT || key == KEY_FILES_COPY_IN)
        return check_mount(s, key == KEY_FILES_MOUNT);
    if (key == KEY_FILES_TMPFS)
        return check_tmpfs(s);
    if (key == KEY_LIFECYCLE_RESTART)
        return form_restart(s, &restart, &most) == 0;
    if (key == KEY_LIFECYCLE_STOP_SIGNAL)
        return form_signal(s, &number) == 0;
    if (key == KEY_CONSOLE_DETACH_KEYS)
        return form_detach_keys(s, two) == 0;
    if (key == KEY_WORKLOAD_ENVIRONMENT || key == KEY_WORKLOAD_LABELS)
        return check_is_variable(s, key == KEY_WORKLOAD_LABELS);
    return true;
}

int key_check(enum key_id key, const char *item, struct error *e)
{
    const struct key *k = &keys[key];
    switch (k->type) {
    case KEY_TYPE_BOOL:
        return check_bool(item, e);
    case KEY_TYPE_WORD:
        return check_word(k, item, e);
    case KEY_TYPE_SIZE:
    case KEY_TYPE_DURATION:
    case KEY_TYPE_INTEGER:
        return check_number(k, item, e);
    case KEY_TYPE_DECIMAL:
        return check_decimal(item, e);
    case KEY_TYPE_TEXT:
    case KEY_TYPE_LIST:
    case KEY_TYPE_LINES:
        break;
    }
    if (k->words) {
        unsigned capability;
        if (key == KEY_ISOLATION_CAPABILITIES && form_capability(item, &capability) == 0)
            return 0;
        return check_word(k, item, e);
    }
    if (check_form(key, item))
        return 0;
    autofree char *text = str_escape(item, strnlen(item, 128));
    if (str_equal(k->synopsis, "PATH"))
        return error_set(e, EINVAL, "\"%s\" is not a whole path, from / on", text);
    return error_set(e, EINVAL, "\"%s\" is not of the form %s", text, k->synopsis);
}
