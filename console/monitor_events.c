/* What has happened to a workload, in its record: the newest of it. */
#include "base/file.h"
#include "console/monitor_parts.h"

#include <stdarg.h>

/* All of them take less than STATE_FILE_MAX in the record, whatever is in them. */
enum { EVENTS_MOST = 100, EVENT_WORDS_MOST = 160, EARLIER_MOST = 1 << 20 };

static void cut_text(char *text, size_t most)
{
    if (strlen(text) <= most)
        return;
    while (most && ((unsigned char)text[most] & 0xc0) == 0x80) /* no half character */
        most--;
    text[most] = '\0';
}

static char *event_words(const char *raw)
{
    char *words = str_escape_z(raw);
    cut_text(words, EVENT_WORDS_MOST);
    return words;
}

bool monitor_noted_last(const struct monitor *m, const char *what)
{
    size_t count = strv_length(m->record.events);
    const char *last = count ? strchr(m->record.events[count - 1], ' ') : NULL;
    autofree char *words = event_words(what);
    return last && str_equal(last + 1, words);
}

void monitor_note(struct monitor *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    autofree char *raw = str_vformat(fmt, ap);
    va_end(ap);
    autofree char *words = event_words(raw);
    char ***list = &m->record.events;
    size_t count = strv_length(*list);
    if (count == EVENTS_MOST) {
        free((*list)[0]);
        memmove(*list, *list + 1, count * sizeof(**list));
    }
    strv_take(list, str_format("%lld %s", (long long)real_ms(), words));
}

void monitor_note_phase(struct monitor *m, enum state_phase now)
{
    enum state_phase before = m->noted;
    m->noted = now;
    if (before == now)
        return;
    if (now == STATE_RUNNING)
        monitor_note(m, "%s", before == STATE_PAUSED ? "resumed" : "started");
    else if (now == STATE_EXITED && m->record.reason)
        monitor_note(m, "exited with status %d: %s", m->record.status, m->record.reason);
    else if (now == STATE_EXITED)
        monitor_note(m, "exited with status %d", m->record.status);
    else if (now == STATE_RESTARTING)
        monitor_note(m, "restarting: %s", m->record.reason);
    else
        monitor_note(m, "%s%s%s", state_phase_name(now), m->reason ? ": " : "",
                     m->reason ? m->reason : "");
}

void monitor_earlier_events(struct monitor *m)
{
    autofree char *text = NULL;
    size_t size = 0;
    struct state_record before;
    int dir = state_writer_kept_dir(m->writer);
    if (!m->setup->restarts || dir < 0 || file_read(dir, "state", EARLIER_MOST, &text, &size) < 0 ||
        state_record_parse(text, size, &before) < 0)
        return;
    strv_free(m->record.events);
    m->record.events = TAKE(before.events);
    state_record_done(&before);
}
