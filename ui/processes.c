#include "ui/processes.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PROCESSES_MOST = 1000, DEPTH_SHOWN = 20, COMMAND_SHOWN = 400, TEXT_MOST = 1 << 20 };

static char *proc_text(long pid, const char *name, size_t *ret_size)
{
    autofree char *path = str_format("/proc/%ld/%s", pid, name);
    char *text = NULL;
    return file_read_virtual(AT_FDCWD, path, TEXT_MOST, &text, ret_size) < 0 ? NULL : text;
}

/* Its arguments are its own words: shown as one line, escaped where the page takes it. */
static char *process_command(long pid, const char *name)
{
    size_t size = 0;
    char *command = proc_text(pid, "cmdline", &size);
    for (size_t i = 0; command && i + 1 < size; i++)
        if (!command[i] || command[i] == '\n')
            command[i] = ' ';
    if (command && size > COMMAND_SHOWN)
        command[COMMAND_SHOWN] = '\0';
    if (command && size && *command)
        return command;
    free(command);
    return str_format("[%s]", name);
}

static void process_line(struct buf *b, long pid, int depth)
{
    size_t size = 0;
    autofree char *stat = proc_text(pid, "stat", &size);
    char *name = stat ? strchr(stat, '(') : NULL, *end = stat ? strrchr(stat, ')') : NULL;
    char state;
    unsigned long long user, system;
    long rss;
    char cpu[32], memory[32];
    if (!name || !end || end <= name ||
        sscanf(end + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d "
               "%*d %*u %*u %ld",
               &state, &user, &system, &rss) != 4)
        return;
    *end = '\0';
    autofree char *command = process_command(pid, name + 1);
    uint64_t ms = (uint64_t)(user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t bytes = (uint64_t)MAX(rss, 0L) * (uint64_t)sysconf(_SC_PAGESIZE);
    buf_printf(b, "%8ld  %c  %8s  %9s  %*s%s\n", pid, state,
               str_from_duration(ms, cpu, sizeof(cpu)),
               str_from_size(bytes, memory, sizeof(memory)), depth * 2, "", command);
}

static void process_tree(struct buf *b, long pid, int depth, int *count);

/* Each thread has children of its own. */
static void process_children(struct buf *b, long pid, const char *thread, int depth, int *count)
{
    size_t size = 0;
    autofree char *name = str_format("task/%s/children", thread);
    autofree char *children = proc_text(pid, name, &size);
    for (char *at = children, *next; at && *count < PROCESSES_MOST; at = next) {
        long child = strtol(at, &next, 10);
        if (next == at)
            break;
        process_tree(b, child, depth, count);
    }
}

static void process_tree(struct buf *b, long pid, int depth, int *count)
{
    autofree char *path = str_format("/proc/%ld/task", pid);
    const struct dirent *one;
    (*count)++;
    process_line(b, pid, MIN(depth, (int)DEPTH_SHOWN));
    DIR *threads = opendir(path);
    while (threads && (one = readdir(threads)))
        if (one->d_name[0] != '.')
            process_children(b, pid, one->d_name, depth + 1, count);
    if (threads)
        closedir(threads);
}

void processes_print(pid_t pid, struct buf *b)
{
    int count = 0;
    buf_printf(b, "%8s  %c  %8s  %9s  %s\n", "PID", 'S', "CPU TIME", "MEMORY", "COMMAND");
    process_tree(b, (long)pid, 0, &count);
    buf_printf(b, "\n%d processes%s, by this machine's own numbers\n", count,
               count < PROCESSES_MOST ? "" : " and more");
}
