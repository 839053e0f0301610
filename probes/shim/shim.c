/* What the go command runs before each tool, where gotrace has copies of tools: it tells the recorder of the tool, has
 * its copy run in its place, waits for it, and ends as it ends.
 *
 *     gotrace __shim SPOOL OPTIONS TOOL ARGUMENT...
 *
 * It does what src/capture/toolexec/shim.rs does, and leaves to that (SPOOL/full leads there) whatever is not the
 * ordinary: a toolexec of the user's own, tools that are held or make profiles, the question for a tool's version, a
 * recorder that is gone, a tool that cannot be run. It is linked to nothing and makes system calls itself: with a C library,
 * or Rust's, the system takes most of a millisecond to begin and to end what runs so shortly and so often.
 *
 * Messages are those of src/capture/toolexec/wire.rs; how a copy is handed over stands in src/capture/linux/handed.rs. All
 * processors that this is for are little-endian and have 64 bits.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long word;

#ifdef __x86_64__
enum {
	CLOSE = 3, MMAP = 9, SIGACTION = 13, SIGPROCMASK = 14, LSEEK = 8, GETPID = 39, SOCKET = 41,
	CONNECT = 42, SENDMSG = 46, RECVMSG = 47, SETSOCKOPT = 54, CLONE = 56, EXECVE = 59, EXIT = 231, WAIT4 = 61, KILL = 62,
	FCNTL = 72, GETCWD = 79, GETRUSAGE = 98, GETPPID = 110, PRCTL = 157, CLOCK_GETTIME = 228, OPENAT = 257, FACCESSAT = 269,
	DUP3 = 292, PIPE2 = 293, READ = 0, WRITE = 1, PRLIMIT = 302,
};
#else
enum {
	CLOSE = 57, MMAP = 222, SIGACTION = 134, SIGPROCMASK = 135, LSEEK = 62, GETPID = 172, SOCKET = 198,
	CONNECT = 203, SENDMSG = 211, RECVMSG = 212, SETSOCKOPT = 208, CLONE = 220, EXECVE = 221, EXIT = 94, WAIT4 = 260,
	KILL = 129, FCNTL = 25, GETCWD = 17, GETRUSAGE = 165, GETPPID = 173, PRCTL = 167, CLOCK_GETTIME = 113, OPENAT = 56,
	FACCESSAT = 48, DUP3 = 24, PIPE2 = 59, READ = 63, WRITE = 64, PRLIMIT = 261,
};
#endif

enum {
	EINTR = 4, EBADF = 9,
	AT_FDCWD = -100, O_RDONLY = 0, O_CLOEXEC = 02000000, SEEK_END = 2, X_OK = 1, PROT_READ = 1, MAP_PRIVATE = 2,
	AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 02000000, SOL_SOCKET = 1, SO_RCVTIMEO = 20, SO_SNDTIMEO = 21,
	SCM_RIGHTS = 1, MSG_NOSIGNAL = 0x4000, MSG_CMSG_CLOEXEC = 0x40000000,
	SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGUSR1 = 10, SIGUSR2 = 12, SIGTERM = 15, SIGCHLD = 17, SIG_UNBLOCK = 1,
	SA_RESTART = 0x10000000, SA_RESTORER = 0x04000000,
	PR_SET_PDEATHSIG = 1, PR_SET_DUMPABLE = 4, SIGKILL = 9, RLIMIT_CORE = 4, RLIMIT_NOFILE = 7, CLOCK_MONOTONIC = 1,
	RUSAGE_SELF = 0, F_GETFD = 1,
};

/* How long the recorder is waited for, in seconds: as in shim.rs. */
enum { PATIENCE_TO_SEND = 1, PATIENCE_TO_RECEIVE = 15 };
/* The numbers at which a copy looks for its descriptor: src/capture/stand_in.rs. */
static const word NUMBERS[] = { 1000, 240, 60 };

struct part { const void *at; u64 bytes; };
struct span { word seconds, part; };
struct usage {
	struct span user, system;
	word max_rss, unused[3], minor, major, swaps, blocks_in, blocks_out, unused_too[3], voluntary, involuntary;
};
struct message { void *name; u32 name_bytes; struct part *parts; u64 count; void *control; u64 control_bytes; int flags; };
struct control { u64 bytes; int level, type; int descriptor; int padding; };
struct action { void (*handler)(int); u64 flags; void (*restorer)(void); u64 mask; };

static word call(word number, word a, word b, word c, word d, word e, word f)
{
#ifdef __x86_64__
	word outcome;
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = e;
	register word r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(outcome) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return outcome;
#else
	register word x8 __asm__("x8") = number;
	register word x0 __asm__("x0") = a;
	register word x1 __asm__("x1") = b;
	register word x2 __asm__("x2") = c;
	register word x3 __asm__("x3") = d;
	register word x4 __asm__("x4") = e;
	register word x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#endif
}
#define CALL6(n, a, b, c, d, e, f, ...) call(n, (word)(a), (word)(b), (word)(c), (word)(d), (word)(e), (word)(f))
#define CALL(n, ...) CALL6(n, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* What compilers call for loops and structures that look like these. */
void *memset(void *to, int byte, u64 count)
{
	volatile u8 *at = to;
	while (count--)
		*at++ = (u8)byte;
	return to;
}
void *memcpy(void *to, const void *from, u64 count)
{
	volatile u8 *at = to;
	const u8 *next = from;
	while (count--)
		*at++ = *next++;
	return to;
}

static u64 length(const char *text)
{
	u64 count = 0;
	while (text[count])
		count++;
	return count;
}

static int is_same(const char *one, const char *other)
{
	while (*one && *one == *other)
		one++, other++;
	return *one == *other;
}

/* What stands behind a prefix; null where it is not one. */
static const char *behind(const char *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != *prefix++)
			return 0;
	return text;
}

/* `folder`/`name`, where there is room for it. */
static int join(char *path, u64 room, const char *folder, const char *name)
{
	u64 first = length(folder), second = length(name);
	if (first + 1 + second >= room)
		return 0;
	memcpy(path, folder, first);
	path[first] = '/';
	memcpy(path + first + 1, name, second + 1);
	return 1;
}

static __attribute__((noreturn)) void leave(int code)
{
	for (;;)
		CALL(EXIT, code);
}

/* Leaves all to the other shim; where that cannot be run, and there is nothing to do but to run a tool, to the tool. */
static __attribute__((noreturn)) void leave_to_other(char **argv, char **environment)
{
	char path[256];
	if (join(path, sizeof path, argv[2], "full"))
		CALL(EXECVE, path, argv, environment);
	if (argv[3] && argv[3][0] == '0' && argv[4])
		CALL(EXECVE, argv[4], argv + 4, environment);
	leave(127);
}

static u64 now(void)
{
	struct span time = { 0, 0 };
	CALL(CLOCK_GETTIME, CLOCK_MONOTONIC, &time);
	return (u64)time.seconds * 1000000000 + (u64)time.part;
}

static const char *value_of(char **environment, const char *name)
{
	for (; *environment; environment++) {
		const char *value = behind(*environment, name);
		if (value && *value == '=')
			return value + 1;
	}
	return "";
}

/* The importcfg of a tool, as src/capture/decode/arguments.rs finds it. */
static const char *import_cfg(char **tool)
{
	const char *name = tool[0], *found = 0, *rest;
	for (const char *at = name; *at; at++)
		if (*at == '/')
			name = at + 1;
	if (!is_same(name, "compile") && !is_same(name, "link"))
		return 0;
	for (char **word = tool; *word; word++) {
		if (**word != '-')
			continue;
		rest = behind(*word + ((*word)[1] == '-' ? 2 : 1), "importcfg");
		if (rest && *rest == '=')
			found = rest + 1;
		else if (rest && !*rest && word[1])
			found = word[1];
	}
	return found;
}

/* A file's contents, which nobody but the kernel looks at: were they cut meanwhile, it would say so. */
static struct part contents_of(const char *path)
{
	struct part contents = { "", 0 };
	word file = path ? CALL(OPENAT, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -EBADF;
	if (file < 0)
		return contents;
	word bytes = CALL(LSEEK, file, 0, SEEK_END);
	word place = bytes > 0 ? CALL(MMAP, 0, bytes, PROT_READ, MAP_PRIVATE, file, 0) : -EBADF;
	if (place > 0) {
		contents.at = (const void *)place;
		contents.bytes = (u64)bytes;
	}
	CALL(CLOSE, file);
	return contents;
}

/* The way to the recorder; -1 where it is gone. */
static word recorder = -1;

static void forget_recorder(void)
{
	CALL(CLOSE, recorder);
	recorder = -1;
}

static int reach(const char *spool)
{
	struct { u16 family; char path[108]; } address = { AF_UNIX, { 0 } };
	struct span patience = { PATIENCE_TO_SEND, 0 };
	if (!join(address.path, sizeof address.path, spool, "shims"))
		return 0;
	recorder = CALL(SOCKET, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (recorder < 0)
		return 0;
	if (CALL(SETSOCKOPT, recorder, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
		return 0;
	return CALL(CONNECT, recorder, &address, sizeof address) >= 0;
}

/* Says something, or falls silent for good where nobody listens. */
static void tell(struct part *parts, u64 count)
{
	while (count && recorder >= 0) {
		struct message message = { 0, 0, parts, count, 0, 0, 0 };
		word sent = CALL(SENDMSG, recorder, &message, MSG_NOSIGNAL);
		if (sent == -EINTR)
			continue;
		if (sent <= 0) {
			forget_recorder();
			return;
		}
		for (; count && (u64)sent >= parts->bytes; parts++, count--)
			sent -= (word)parts->bytes;
		if (count) {
			parts->at = (const u8 *)parts->at + sent;
			parts->bytes -= (u64)sent;
		}
	}
}

/* Words of a message behind its length and its kind, as they lie on the way. */
struct told { u32 bytes; u8 kind; u64 words[22]; } __attribute__((packed));

static void tell_words(u8 kind, const u64 *words, u64 count)
{
	struct told told = { (u32)(1 + 8 * count), kind, { 0 } };
	memcpy(told.words, words, 8 * count);
	struct part part = { &told, 5 + 8 * count };
	tell(&part, 1);
}

/* How many bytes words have that lie one behind the other, each with its zero byte, as the kernel lays them out; 0 where
 * they do not: who translates programs may do otherwise. */
static u64 bytes_of(char **words)
{
	u64 bytes = 0;
	for (; *words; words++) {
		u64 more = length(*words) + 1;
		if (words[1] && words[1] != *words + more)
			return 0;
		bytes += more;
	}
	return bytes;
}

static void tell_begin(char **tool, char **environment)
{
	static char folder[4096];
	word folder_bytes = CALL(GETCWD, folder, sizeof folder);
	const char *package = value_of(environment, "TOOLEXEC_IMPORTPATH");
	struct part fields[4] = {
		{ package, length(package) },
		{ folder, folder_bytes > 0 ? (u64)folder_bytes - 1 : 0 },
		{ tool[0], bytes_of(tool) },
		contents_of(import_cfg(tool)),
	};
	struct { u32 bytes; u8 kind; u64 shim, go; } __attribute__((packed)) head = {
		17, 1, (u64)CALL(GETPID, 0), (u64)CALL(GETPPID, 0),
	};
	u32 lengths[4];
	struct part parts[9] = { { &head, sizeof head } };
	for (int at = 0; at < 4; at++) {
		lengths[at] = (u32)fields[at].bytes;
		head.bytes += 4 + lengths[at];
		parts[1 + 2 * at] = (struct part){ &lengths[at], 4 };
		parts[2 + 2 * at] = fields[at];
	}
	tell(parts, 9);
}

/* Whether one of the numbers is free, and within the user's limit. */
static int has_room(void)
{
	u64 limit[2] = { 0, 0 };
	CALL(PRLIMIT, 0, RLIMIT_NOFILE, 0, limit);
	for (int at = 0; at < 3; at++)
		if ((u64)NUMBERS[at] < limit[0] && CALL(FCNTL, NUMBERS[at], F_GETFD) == -EBADF)
			return 1;
	return 0;
}

/* What the recorder has to run in the tool's place: its path, and the descriptor that it is to find; -1 for none. */
static word receive(char *path, u64 room)
{
	struct span patience = { PATIENCE_TO_RECEIVE, 0 };
	struct control control = { 0, 0, 0, -1, 0 };
	struct part part = { path, room - 1 };
	struct message message = { 0, 0, &part, 1, &control, sizeof control, 0 };
	word got = -EBADF;
	if (recorder >= 0 && CALL(SETSOCKOPT, recorder, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) >= 0)
		do
			got = CALL(RECVMSG, recorder, &message, MSG_CMSG_CLOEXEC);
		while (got == -EINTR);
	if (got <= 0 || path[0] != '/' || message.control_bytes < sizeof control - sizeof control.padding
	    || control.level != SOL_SOCKET || control.type != SCM_RIGHTS)
		return -1;
	path[got] = 0;
	return control.descriptor;
}

#ifdef __x86_64__
/* Where a handler returns to: rt_sigreturn. */
__attribute__((naked)) static void back(void)
{
	__asm__ volatile("mov $15, %eax; syscall");
}
#define RESTORED(flags) ((flags) | SA_RESTORER), back
#else
#define RESTORED(flags) (flags), 0
#endif

static void (*const DEFAULT)(int) = (void (*)(int))0;
static void (*const IGNORED)(int) = (void (*)(int))1;

static void set_action(int signal, void (*handler)(int))
{
	struct action action = { handler, RESTORED(SA_RESTART), 0 };
	CALL(SIGACTION, signal, &action, 0, 8);
}

/* Signals whose action is changed, and whether they were ignored before: what is, stays so in whatever is executed. */
static const int CHANGED[] = { SIGCHLD, SIGINT, SIGQUIT };
static int were_ignored[3];

static void note_ignored(void)
{
	for (int at = 0; at < 3; at++) {
		struct action action = { 0, 0, 0, 0 };
		CALL(SIGACTION, CHANGED[at], 0, &action, 8);
		were_ignored[at] = action.handler == IGNORED;
	}
}

static void restore_ignored(void)
{
	for (int at = 0; at < 3; at++)
		set_action(CHANGED[at], were_ignored[at] ? IGNORED : DEFAULT);
}

static volatile word tool_pid;

static void forward(int signal)
{
	CALL(KILL, tool_pid, signal);
}

/* Lets the tool alone decide what becomes of signals: those of a terminal reach it without help, others are passed on. */
static void leave_signals_to_tool(void)
{
	static const int PASSED[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
	set_action(SIGINT, IGNORED);
	set_action(SIGQUIT, IGNORED);
	for (int at = 0; at < 4; at++)
		set_action(PASSED[at], forward);
}

/* The child's side: the copy where there is one, and the tool where that cannot run. What keeps both from running goes
 * to the parent. */
static __attribute__((noreturn)) void become(char **tool, char **environment, const char *copy, word descriptor, word report)
{
	restore_ignored();
	word number = -1;
	for (int at = 0; at < 3 && descriptor >= 0 && number < 0; at++)
		if (CALL(FCNTL, NUMBERS[at], F_GETFD) == -EBADF && CALL(DUP3, descriptor, NUMBERS[at], 0) == NUMBERS[at])
			number = NUMBERS[at];
	if (descriptor >= 0) {
		CALL(EXECVE, copy, tool, environment);
		if (number >= 0)
			CALL(CLOSE, number);
	}
	word error = CALL(EXECVE, tool[0], tool, environment);
	CALL(WRITE, report, &error, sizeof error);
	leave(127);
}

static void put_usage(u64 *words, const struct usage *usage)
{
	words[0] = (u64)usage->user.seconds * 1000000000 + (u64)usage->user.part * 1000;
	words[1] = (u64)usage->system.seconds * 1000000000 + (u64)usage->system.part * 1000;
	words[2] = (u64)usage->max_rss * 1024;
	words[3] = (u64)usage->minor;
	words[4] = (u64)usage->major;
	words[5] = (u64)usage->blocks_in * 512;
	words[6] = (u64)usage->blocks_out * 512;
	words[7] = (u64)usage->voluntary;
	words[8] = (u64)usage->involuntary;
}

/* Ends as the tool has ended: without another core beside its own. */
static __attribute__((noreturn)) void end_as(int status)
{
	int signal = status & 0x7f;
	if (!signal)
		leave(status >> 8 & 0xff);
	u64 none[2] = { 0, 0 }, set = 1UL << (signal - 1);
	CALL(PRLIMIT, 0, RLIMIT_CORE, none, 0);
	CALL(PRCTL, PR_SET_DUMPABLE, 0);
	set_action(signal, DEFAULT);
	CALL(KILL, CALL(GETPID, 0), signal);
	CALL(SIGPROCMASK, SIG_UNBLOCK, &set, 0, 8);
	leave(128 + signal);
}

static __attribute__((noreturn)) void run(char **argv, char **environment)
{
	static char copy[4096];
	char **tool = argv + 4;
	tell_begin(tool, environment);
	word descriptor = receive(copy, sizeof copy);
	if (descriptor >= 0 && !has_room()) {
		CALL(CLOSE, descriptor);
		descriptor = -1;
	}
	/* A child whose end nobody is told of cannot be waited for. */
	note_ignored();
	set_action(SIGCHLD, DEFAULT);
	int report[2] = { -1, -1 };
	word own = CALL(GETPID, 0);
	u64 words[22] = { 0 };
	u64 start = now();
	word pid = CALL(PIPE2, report, O_CLOEXEC);
	if (pid >= 0)
		pid = CALL(CLONE, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		/* What kills the shim would have killed the tool. */
		CALL(PRCTL, PR_SET_PDEATHSIG, SIGKILL);
		if (CALL(GETPPID, 0) != own)
			leave(125);
		become(tool, environment, copy, descriptor, report[1]);
	}
	if (pid < 0) {
		restore_ignored();
		leave_to_other(argv, environment);
	}
	tool_pid = pid;
	leave_signals_to_tool();
	words[0] = (u64)pid;
	words[1] = start;
	if (descriptor >= 0)
		tell_words(4, words, 2);
	CALL(CLOSE, report[1]);
	word error = 0, heard;
	do
		heard = CALL(READ, report[0], &error, sizeof error);
	while (heard == -EINTR);
	if (heard == sizeof error) {
		CALL(WAIT4, pid, 0, 0, 0);
		restore_ignored();
		leave_to_other(argv, environment);
	}
	struct usage usage = { { 0, 0 }, { 0, 0 }, 0, { 0 }, 0, 0, 0, 0, 0, { 0 }, 0, 0 };
	int status = 0;
	word ended;
	do
		ended = CALL(WAIT4, pid, &status, 0, &usage);
	while (ended == -EINTR);
	if (ended < 0)
		leave(126);
	words[2] = now();
	words[3] = (u32)status;
	put_usage(words + 4, &usage);
	CALL(GETRUSAGE, RUSAGE_SELF, &usage);
	put_usage(words + 13, &usage);
	tell_words(2, words, 22);
	end_as(status);
}

__attribute__((noreturn, used)) static void begin(word *stack)
{
	word count = stack[0];
	char **argv = (char **)(stack + 1), **environment = argv + count + 1;
	if (count < 3 || !is_same(argv[1], "__shim"))
		leave(2);
	/* No words of the user's own, and the recorder may have others to run in tools' place. */
	if (count < 5 || !is_same(argv[3], "0s") || argv[4][0] != '/')
		leave_to_other(argv, environment);
	if (count == 6 && is_same(argv[5], "-V=full"))
		leave_to_other(argv, environment);
	if (!bytes_of(argv + 4) || CALL(FACCESSAT, AT_FDCWD, argv[4], X_OK, 0) < 0 || !reach(argv[2]))
		leave_to_other(argv, environment);
	run(argv, environment);
}

__attribute__((naked, noreturn)) void _start(void)
{
#ifdef __x86_64__
	__asm__ volatile("xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call begin");
#else
	__asm__ volatile("mov x29, #0; mov x30, #0; mov x0, sp; bl begin");
#endif
}
