/* Which paths somebody should look at first: what runs by itself, what opens doors. */
#include "backends/changes_notes.h"

#include "backends/changes.h"
#include "base/str.h"

#include <fnmatch.h>
#include <sys/stat.h>

/* Matched against the whole path; '*' stands for anything, '/' too. */
static const char *const startup_paths[] = {
    "/etc/cron*",
    "/var/spool/cron/*",
    "/var/spool/at/*",
    "/etc/anacrontab",
    "/etc/init.d/*",
    "/etc/rc*",
    "/etc/inittab",
    "/etc/systemd/*",
    "*/lib/systemd/*",
    "*/.config/systemd/*",
    "*/.local/share/systemd/*",
    "/etc/profile",
    "/etc/profile.d/*",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh/*",
    "/etc/environment",
    "/etc/ld.so.*",
    "/etc/pam.d/*",
    "/etc/sudoers*",
    "/etc/udev/*",
    "*/lib/udev/rules.d/*",
    "/etc/modprobe.d/*",
    "/etc/modules*",
    "/etc/xdg/autostart/*",
    "*/.config/autostart/*",
    "*/.config/fish/*",
    "*/.config/environment.d/*",
    "*/.bashrc",
    "*/.bash_profile",
    "*/.bash_login",
    "*/.bash_logout",
    "*/.profile",
    "*/.zshrc",
    "*/.zshenv",
    "*/.zprofile",
    "*/.zlogin",
    "*/.xinitrc",
    "*/.xsession*",
    "*/.xprofile",
    "*/.vimrc",
    "*/.emacs*",
    "*/.gitconfig",
    "*/.git/config",
    "*/.git/hooks/*",
    "*/sitecustomize.py",
    "*/usercustomize.py",
    "*/site-packages/*.pth",
    "*/dist-packages/*.pth",
    "*/dbus-1/services/*",
    "*/dbus-1/system-services/*",
    "*/apt/apt.conf.d/*",
    "/boot/*",
};

static const char *const key_paths[] = {
    "*/.ssh/*",
    "*/.gnupg/*",
    "*/.aws/*",
    "*/.kube/*",
    "*/.docker/config.json",
    "*/.netrc",
    "*/.git-credentials",
    "*/.npmrc",
    "*/.pypirc",
    "*/.config/gh/*",
    "*/.config/gcloud/*",
    "*/.local/share/keyrings/*",
    "*/.password-store/*",
    "/etc/shadow*",
    "/etc/gshadow*",
    "/etc/passwd",
    "/etc/group",
    "/etc/ssh/*",
    "/etc/ssl/*",
    "/usr/local/share/ca-certificates/*",
    "/etc/apt/trusted*",
    "/etc/apt/keyrings/*",
    "/usr/share/keyrings/*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.kdbx",
    "*/id_rsa*",
    "*/id_ed25519*",
    "*/id_ecdsa*",
};

static bool path_matches(const char *path, const char *const *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(patterns[i], path, 0) == 0)
            return true;
    return false;
}

unsigned change_notes(const char *path, mode_t mode)
{
    unsigned notes = 0;
    if (path_matches(path, startup_paths, ARRAY_SIZE(startup_paths)))
        notes |= CHANGE_STARTUP;
    if (path_matches(path, key_paths, ARRAY_SIZE(key_paths)))
        notes |= CHANGE_KEY;
    if (S_ISCHR(mode) || S_ISBLK(mode))
        notes |= CHANGE_DEVICE;
    if (S_ISREG(mode) && mode & (S_ISUID | S_ISGID))
        notes |= CHANGE_SETID;
    if (S_ISREG(mode) && mode & 0111)
        notes |= CHANGE_EXECUTABLE;
    return notes;
}

unsigned change_badness(unsigned notes)
{
    static const struct {
        unsigned note, weight;
    } weights[] = {
        {CHANGE_SETID,      32},
        {CHANGE_CAPABILITY, 32},
        {CHANGE_DEVICE,     16},
        {CHANGE_STARTUP,    8 },
        {CHANGE_KEY,        4 },
        {CHANGE_EXECUTABLE, 2 },
    };
    unsigned sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(weights); i++)
        if (notes & weights[i].note)
            sum += weights[i].weight;
    return sum;
}
