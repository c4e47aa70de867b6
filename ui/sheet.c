#include "ui/sheet.h"

const char *const ui_field_names[UI_FIELD_COUNT] = {
    "file", "command", "dial", "profile",    "image", "network", "mount",      "memory",
    "cpus", "pids",    "disk", "time limit", "keep",  "restart", "install to", "name",
};

const char *const *ui_field_choices(enum ui_field f)
{
    static const char *const networks[] = {"", "none", "private", "host", NULL};
    static const char *const keeps[] = {"", "never", "on-failure", "always", NULL};
    static const char *const restarts[] = {"", "no", "on-failure", "always", NULL};
    return f == UI_FIELD_NETWORK   ? networks
           : f == UI_FIELD_KEEP    ? keeps
           : f == UI_FIELD_RESTART ? restarts
                                   : NULL;
}

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

size_t ui_sheet_completions(const struct ui_sheet *s)
{
    size_t count = s->completions ? strv_length(s->completions) : 0;
    return count > 1 ? count : 0; /* a single one is in its line already */
}

bool ui_field_is_typed(enum ui_field f)
{
    return f != UI_FIELD_DIAL && f != UI_FIELD_PROFILE && !ui_field_choices(f);
}

char *ui_sheet_file(const struct ui_sheet *s)
{
    autostrv char **file = ui_words(s->lines[UI_FIELD_FILE].text);
    return str_dup(file && file[0] ? file[0] : "");
}

bool ui_sheet_looked(const struct ui_sheet *s)
{
    autofree char *path = ui_sheet_file(s);
    return s->stops_known && str_equal(path, s->looked_at ? s->looked_at : "");
}

int ui_sheet_stop(const struct ui_sheet *s, const char *profile)
{
    for (int i = 0; i < UI_STOPS; i++)
        if (s->stops_known && str_equal(s->stops[i].profile, profile))
            return i;
    return -1;
}

/* In little room the others are the keys they are had by. */
static int stop_width(const struct ui_sheet *s, int at, int cols, int stop)
{
    bool narrow = cols < UI_SHEET_ALL && stop != at;
    return UI_SHEET_SIGN + (narrow ? 0 : (int)strlen(s->stops[stop].boundary));
}

int ui_sheet_stop_col(const struct ui_sheet *s, int at, int cols, int stop)
{
    int col = UI_SHEET_COL;
    for (int i = 0; i < stop; i++)
        col += stop_width(s, at, cols, i) + (cols < UI_SHEET_ALL ? 1 : 2);
    return col;
}

char *ui_sheet_stop_text(const struct ui_sheet *s, int at, int cols, int stop)
{
    const struct ui_stop *t = &s->stops[stop];
    const char *sign = stop == at ? "(o)" : t->there ? "( )" : "(x)";
    return cols < UI_SHEET_ALL && stop != at ? str_format("%s%d", sign, stop + 1)
                                             : str_format("%s %s", sign, t->boundary);
}

int ui_sheet_stop_at(const struct ui_sheet *s, int at, int cols, int col)
{
    for (int i = 0; i < UI_STOPS && s->stops_known; i++) {
        int from = ui_sheet_stop_col(s, at, cols, i);
        if (col >= from && col < from + stop_width(s, at, cols, i))
            return i;
    }
    return -1;
}

/* One setting of the sheet: its flag of `run`, NULL where --set does it, and its key in a workload
 * file. */
static const struct {
    enum ui_field field;
    const char *flag, *section, *key;
} rows[] = {
    {UI_FIELD_IMAGE,   "--image",      "files",     "image"     },
    {UI_FIELD_MOUNT,   "--mount",      "files",     "mount"     },
    {UI_FIELD_NETWORK, "--network",    "network",   "mode"      },
    {UI_FIELD_MEMORY,  "--memory",     "resources", "memory"    },
    {UI_FIELD_CPUS,    "--cpus",       "resources", "cpus"      },
    {UI_FIELD_PIDS,    "--pids",       "resources", "pids"      },
    {UI_FIELD_DISK,    NULL,           "resources", "disk"      },
    {UI_FIELD_TIME,    "--time-limit", "lifecycle", "time-limit"},
    {UI_FIELD_KEEP,    "--keep",       "lifecycle", "keep"      },
    {UI_FIELD_RESTART, NULL,           "lifecycle", "restart"   },
    {UI_FIELD_NAME,    "--name",       NULL,        NULL        },
};

static const char *row_value(const struct ui_sheet *s, size_t i)
{
    enum ui_field f = rows[i].field;
    const char *const *choices = ui_field_choices(f);
    return choices ? choices[s->choices[f]] : s->lines[f].text;
}

static void row_args(char ***args, size_t i, const char *value)
{
    strv_add(args, rows[i].flag ? rows[i].flag : "--set");
    strv_take(args, rows[i].flag ? str_dup(value)
                                 : str_format("%s.%s=%s", rows[i].section, rows[i].key, value));
}

/* A word of a list in the settings, whatever is in it. */
static void ini_word(struct buf *b, const char *word)
{
    buf_putc(b, '"');
    for (const char *c = word; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_putc(b, '\\');
        buf_putc(b, *c);
    }
    buf_putc(b, '"');
}

/* "/a", "~/a" and "./a" are known as paths. */
static char *whole_path(const char *path)
{
    return strchr("/~.", *path) ? str_dup(path) : str_format("./%s", path);
}

/* What `install` does, as settings: "DISK [SIZE]". */
static void install_args(char ***args, const char *cd, char *const *to)
{
    autofree char *disk = whole_path(to[0]), *iso = whole_path(cd);
    struct buf b = {0};
    strv_add(args, "--boundary");
    strv_add(args, "vm");
    strv_add(args, "--image");
    strv_take(args, str_format("disk:%s", disk));
    strv_add(args, "--set");
    strv_add(args, "machine.install=yes");
    buf_puts(&b, "machine.cdrom=");
    ini_word(&b, iso);
    strv_add(args, "--set");
    strv_take(args, buf_take(&b));
    if (!to[1])
        return;
    strv_add(args, "--set");
    strv_take(args, str_format("machine.disk-size=%s", to[1]));
}

char **ui_sheet_args(const struct ui_sheet *s, const char *profile)
{
    autostrv char **words = ui_words(s->lines[UI_FIELD_COMMAND].text);
    autostrv char **mounts = ui_words(s->lines[UI_FIELD_MOUNT].text);
    autostrv char **file = ui_words(s->lines[UI_FIELD_FILE].text);
    autostrv char **disk = ui_words(s->lines[UI_FIELD_INSTALL].text);
    char **args = NULL;
    if (!words || !mounts || !file || !disk)
        return NULL;
    strv_add(&args, "--profile");
    strv_add(&args, profile);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *value = row_value(s, i);
        if (rows[i].field == UI_FIELD_MOUNT)
            for (size_t k = 0; mounts[k]; k++)
                row_args(&args, i, mounts[k]);
        else if (*value)
            row_args(&args, i, value);
    }
    if (file[0] && disk[0]) {
        install_args(&args, file[0], disk);
    } else if (file[0]) {
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
        if (plain)
            buf_puts(b, words[i]);
        else
            ini_word(b, words[i]);
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
