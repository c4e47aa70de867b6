#include "tests/unit/agent.h"

#include "base/fd.h"
#include "base/str.h"
#include "config.h"
#include "init/agent.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool box_write(const char *path, const char *text)
{
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return fd >= 0 && fd_write_full(fd, text, strlen(text)) == 0;
}

static bool box_bind(const char *from, const char *to, bool folder)
{
    if (folder)
        mkdir(to, 0755);
    else
        box_write(to, "");
    return mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0;
}

/* What the commands of the tests need of the host, and a passwd file of our own. */
static bool box_make_root(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("box", "/mnt", "tmpfs", 0, "mode=0755") < 0 || chdir("/mnt") < 0)
        return false;
    static const char *const folders[] = {"etc", "dev", "dev/pts", "proc", "tmp", "home"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        mkdir(folders[i], 0755);
    chmod("tmp", 01777);
    if (!box_bind("/usr", "usr", true) || !box_bind("/dev/null", "dev/null", false))
        return false;
    static const char *const links[] = {"bin", "lib", "lib64", "sbin"};
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        autofree char *to = str_format("usr/%s", links[i]);
        if (symlink(to, links[i]) < 0)
            return false;
    }
    return mount("proc", "proc", "proc", 0, NULL) == 0 &&
           mount("devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620") == 0 &&
           symlink("pts/ptmx", "dev/ptmx") == 0 &&
           box_write("etc/passwd", "root:x:0:0::/root:/bin/sh\n"
                                   "broken line\n"
                                   "tester:x:1000:1001::/home:/bin/sh\n") &&
           box_write("etc/group", "root:x:0:\ntesters:x:1001:\nextra:x:1002:other,tester\n") &&
           box_write("etc/plain", "no program\n") && mkdir("etc/target", 0755) == 0 &&
           symlink("target", "etc/way") == 0 && symlink("/proc/self/exe", "etc/magic") == 0 &&
           chroot(".") == 0 && chdir("/") == 0;
}

/* The bounding set is what commands get: CAP_CHOWN. PID 1 keeps what it needs as inheritable. */
static bool box_reduce(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2] = {0};
    /* capset(2) takes nothing into the inheritable set that the bounding set has lost */
    uint32_t needs = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL;
    if (syscall(SYS_capget, &head, caps) < 0)
        return false;
    caps[0].inheritable = needs;
    if (syscall(SYS_capset, &head, caps) < 0)
        return false;
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (c != CAP_CHOWN && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
            return false;
    caps[0].permitted = caps[0].effective = needs | 1u << CAP_CHOWN;
    caps[1].permitted = caps[1].effective = 0;
    return syscall(SYS_capset, &head, caps) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* In the child of the child: PID 1. Ends with 200 where the machine forbids something. */
static void box_become_init(int init, int socket)
{
    int null = open("/dev/null", O_RDWR);
    if (!box_make_root() || !box_reduce() || null < 0)
        _exit(200);
    int high = fcntl(init, F_DUPFD_CLOEXEC, 20), other = fcntl(socket, F_DUPFD_CLOEXEC, 20);
    for (int i = 0; i < 3; i++)
        dup2(null, i);
    dup2(other, AGENT_FD);
    const char *const argv[] = {"cofferdam-init", NULL};
    const char *const env[] = {NULL};
    syscall(SYS_execveat, high, "", argv, env, AT_EMPTY_PATH);
    _exit(200);
}

static bool box_map(pid_t pid, bool ranges)
{
    autofree char *uid_map = str_format("/proc/%d/uid_map", pid);
    autofree char *gid_map = str_format("/proc/%d/gid_map", pid);
    autofree char *setgroups = str_format("/proc/%d/setgroups", pid);
    autofree char *uid = str_format("0 %u 1", ranges ? 0 : getuid());
    autofree char *gid = str_format("0 %u 1", ranges ? 0 : getgid());
    if (ranges)
        return box_write(uid_map, "0 0 65536") && box_write(gid_map, "0 0 65536");
    return box_write(setgroups, "deny") && box_write(uid_map, uid) && box_write(gid_map, gid);
}

const char *box_start(struct box *ret)
{
    const char *path = getenv("COFFERDAM_INIT");
    int pair[2], go[2];
    autoclose int init =
        open(path ? path : COFFERDAM_BUILD_ROOT "/cofferdam-init", O_PATH | O_CLOEXEC);
    if (init < 0 || fd_socketpair(pair) < 0 || fd_pipe(go, 0) < 0)
        return "cofferdam-init was not built";
    struct box b = {.socket = pair[0], .ranges = getuid() == 0};
    b.pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL,
                           NULL, NULL, NULL);
    if (b.pid == 0) {
        char c;
        close(go[1]);
        if (read(go[0], &c, 1) != 1)
            _exit(200);
        box_become_init(init, pair[1]);
    }
    close(go[0]);
    close(pair[1]);
    bool good = b.pid > 0 && box_map(b.pid, b.ranges) && write(go[1], "", 1) == 1;
    close(go[1]);
    if (!good) {
        close(pair[0]);
        if (b.pid > 0)
            waitpid(b.pid, NULL, 0);
        return "needs unprivileged user namespaces";
    }
    *ret = b;
    return NULL;
}

int box_end(struct box *b, bool force)
{
    int raw;
    if (force)
        kill(b->pid, SIGKILL);
    if (waitpid(b->pid, &raw, 0) < 0)
        return -errno;
    return WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
}
