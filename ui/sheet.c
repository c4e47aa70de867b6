#include "ui/sheet.h"

const char *const ui_networks[] = {"", "none", "private", "host", NULL};
const char *const ui_field_names[UI_FIELD_COUNT] = {
    "file",  "command", "dial", "profile",    "image", "network",
    "mount", "memory",  "cpus", "time limit", "name",
};

void ui_sheet_stops_done(struct ui_sheet *s)
{
    for (size_t i = 0; i < UI_STOPS; i++) {
        struct ui_stop *stop = &s->stops[i];
        free(stop->boundary);
        free(stop->profile);
        free(stop->protects);
        free(stop->open);
        free(stop->costs);
        free(stop->lacks);
        free(stop->mend);
        *stop = (struct ui_stop){0};
    }
    free(TAKE(s->what));
    free(TAKE(s->advice));
    free(TAKE(s->looked_at));
    s->stops_known = false;
}

void ui_sheet_done(struct ui_sheet *s)
{
    ui_sheet_stops_done(s);
    strv_free(s->completions);
    s->completions = NULL;
}

bool ui_field_is_typed(enum ui_field f)
{
    return f != UI_FIELD_DIAL && f != UI_FIELD_PROFILE && f != UI_FIELD_NETWORK;
}

int ui_sheet_stop(const struct ui_sheet *s, const char *profile)
{
    for (int i = 0; i < UI_STOPS; i++)
        if (s->stops_known && str_equal(s->stops[i].profile, profile))
            return i;
    return -1;
}

/* One setting of the sheet: its flag of `run` and its key in a workload file. */
static const struct {
    enum ui_field field;
    const char *flag, *section, *key;
} rows[] = {
    {UI_FIELD_IMAGE,   "--image",      "files",     "image"     },
    {UI_FIELD_MOUNT,   "--mount",      "files",     "mount"     },
    {UI_FIELD_NETWORK, "--network",    "network",   "mode"      },
    {UI_FIELD_MEMORY,  "--memory",     "resources", "memory"    },
    {UI_FIELD_CPUS,    "--cpus",       "resources", "cpus"      },
    {UI_FIELD_TIME,    "--time-limit", "lifecycle", "time-limit"},
    {UI_FIELD_NAME,    "--name",       NULL,        NULL        },
};

static const char *row_value(const struct ui_sheet *s, size_t i)
{
    return rows[i].field == UI_FIELD_NETWORK ? ui_networks[s->network]
                                             : s->lines[rows[i].field].text;
}

char **ui_sheet_args(const struct ui_sheet *s, const char *profile)
{
    autostrv char **words = ui_words(s->lines[UI_FIELD_COMMAND].text);
    autostrv char **mounts = ui_words(s->lines[UI_FIELD_MOUNT].text);
    autostrv char **file = ui_words(s->lines[UI_FIELD_FILE].text);
    char **args = NULL;
    if (!words || !mounts || !file)
        return NULL;
    strv_add(&args, "--profile");
    strv_add(&args, profile);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *value = row_value(s, i);
        if (rows[i].field == UI_FIELD_MOUNT)
            for (size_t k = 0; mounts[k]; k++) {
                strv_add(&args, rows[i].flag);
                strv_add(&args, mounts[k]);
            }
        else if (*value) {
            strv_add(&args, rows[i].flag);
            strv_add(&args, value);
        }
    }
    if (file[0]) {
        strv_add(&args, "--open");
        strv_add(&args, file[0]);
    }
    if (words[0])
        strv_add(&args, "--");
    for (size_t i = 0; words[i]; i++)
        strv_add(&args, words[i]);
    return args;
}

/* A command's words stand in a file as they do on a line, quoted where that matters. */
static void ini_words(struct buf *b, char *const *words)
{
    for (size_t i = 0; words[i]; i++) {
        bool plain = *words[i] && !strpbrk(words[i], " \t\"\\;#'");
        buf_puts(b, i ? " " : "");
        if (!plain)
            buf_putc(b, '"');
        for (const char *c = words[i]; *c; c++) {
            if (*c == '"' || *c == '\\')
                buf_putc(b, '\\');
            buf_putc(b, *c);
        }
        if (!plain)
            buf_putc(b, '"');
    }
}

char *ui_sheet_ini(const struct ui_sheet *s, const char *profile)
{
    autostrv char **words = ui_words(s->lines[UI_FIELD_COMMAND].text);
    autostrv char **mounts = ui_words(s->lines[UI_FIELD_MOUNT].text);
    struct buf b = {0};
    const char *section = "";
    if (!words || !mounts)
        return NULL;
    buf_printf(&b, "# Start it with: cofferdam run --workload NAME\n\n[workload]\nprofile = %s\n",
               profile);
    if (words[0]) {
        buf_puts(&b, "command = ");
        ini_words(&b, words);
        buf_putc(&b, '\n');
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *value = row_value(s, i);
        if (!*value || !rows[i].section)
            continue;
        if (!str_equal(section, rows[i].section))
            buf_printf(&b, "\n[%s]\n", rows[i].section);
        section = rows[i].section;
        buf_printf(&b, "%s = ", rows[i].key);
        if (rows[i].field == UI_FIELD_MOUNT)
            ini_words(&b, mounts);
        else
            buf_puts(&b, value);
        buf_putc(&b, '\n');
    }
    return buf_take(&b);
}
