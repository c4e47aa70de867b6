/* Of the machine: memory, load, what waits, disk. Files of /proc; none of them blocks. */
#include "ui/world.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char *proc_read(const char *path)
{
    char *text = NULL;
    size_t size;
    return file_read_virtual(AT_FDCWD, path, 65536, &text, &size) < 0 ? NULL : text;
}

static uint64_t meminfo(const char *text, const char *name)
{
    const char *at = text ? strstr(text, name) : NULL;
    return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static double pressure(const char *what)
{
    autofree char *path = str_format("/proc/pressure/%s", what);
    autofree char *text = proc_read(path);
    const char *at = text ? strstr(text, "avg10=") : NULL;
    return at ? strtod(at + 6, NULL) : -1;
}

void world_host_facts(struct world *w)
{
    struct ui_host_facts f = {.known = true};
    autofree char *memory = proc_read("/proc/meminfo");
    autofree char *load = proc_read("/proc/loadavg");
    f.memory = meminfo(memory, "MemTotal:");
    f.available = meminfo(memory, "MemAvailable:");
    f.processors = (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
    autofree char *most = proc_read("/proc/sys/kernel/pid_max");
    unsigned long long now = 0, limit = most ? strtoull(most, NULL, 10) : 0;
    if (load)
        sscanf(load, "%lf %lf %lf %*u/%llu", &f.load[0], &f.load[1], &f.load[2], &now);
    f.processes = limit > now ? limit - now : 0;
    f.pressure_cpu = pressure("cpu");
    f.pressure_memory = pressure("memory");
    f.pressure_io = pressure("io");
    f.disk = w->model->facts.disk; /* world_news() */
    f.disk_free = w->model->facts.disk_free;
    w->model->dirty |= memcmp(&f, &w->model->facts, sizeof(f)) != 0;
    w->model->facts = f;
}
