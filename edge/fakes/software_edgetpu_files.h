/* Read the two files that control a software Edge TPU, safely whatever they hold, and again when they change.
 *
 *   script       words KEY=VALUE between spaces or newlines; read again within 10 ms of a change
 *   answers.bin  the table (struct Header), read again with it
 *
 * The keys of the script; an unknown key or a value out of range makes loading and every inference fail:
 *   mode=ok        refuse (no new delegate), absent (unplugged: refuse, and inference fails), error (inference
 *                  fails), hang, abort, segfault, garbage (random bytes), constant (all bytes `value`), stale (the
 *                  previous answer again), unwritten (success, output untouched), nan (float32; other types: garbage)
 *   at=invoke      the call in which hang, abort and segfault happen: invoke or load
 *   after=0        how many inferences of each delegate succeed before the fault
 *   time_us=0      microseconds that an inference takes; the processor is free meanwhile, as with hardware
 *   seconds=0      how long a hang lasts; 0: for ever
 *   value=0        byte of mode=constant
 *   unknown=error  an input that is not in the table: error, default (the table's own), pick (one of its answers)
 *   devices=usb:0  what is plugged in: `none`, or names between commas (usb:N, pci:N)
 *   plug=0         how often it was plugged in again: as on hardware, an old delegate does not survive that
 */
#ifndef SOFTWARE_EDGETPU_FILES_H
#define SOFTWARE_EDGETPU_FILES_H
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum Mode { OK, REFUSE, ABSENT, ERROR, HANG, ABORT, SEGFAULT, GARBAGE, CONSTANT, STALE, UNWRITTEN, NAN_, MODES };
static const char *const MODE_NAMES[] = {"ok",      "refuse",   "absent", "error",     "hang", "abort", "segfault",
                                         "garbage", "constant", "stale",  "unwritten", "nan"};
enum { AT_INVOKE, AT_LOAD };
static const char *const AT_NAMES[] = {"invoke", "load"};
enum { UNKNOWN_ERROR, UNKNOWN_DEFAULT, UNKNOWN_PICK };
static const char *const UNKNOWN_NAMES[] = {"error", "default", "pick"};

enum { MAX_DEVICES = 8, NAME_SIZE = 16, PROBLEM_SIZE = 160, MAX_SCRIPT = 4096 };
typedef struct {
    int mode, at, unknown, devices;
    uint64_t after, time_us, seconds, value, plug;
    char device[MAX_DEVICES][NAME_SIZE];
    char problem[PROBLEM_SIZE]; /* empty: the script is good */
} Script;

/* answers.bin: header, `count` hashes ascending, `count` answers in their order, the default answer if it has one.
 * Little-endian. */
typedef struct { char magic[8]; uint64_t count, answer_bytes, has_default; } Header;
static const char MAGIC[8] = {'F', 'F', 'T', 'P', 'U', '0', '0', '1'};
static const uint64_t MAX_TABLE = (uint64_t)1 << 30;
typedef struct {
    char *memory; /* the whole file, NULL: none */
    uint64_t count, answer_bytes;
    const uint64_t *hashes;
    const char *answers, *fallback; /* fallback NULL: none */
    char problem[PROBLEM_SIZE];
} Table;

typedef struct { int64_t seconds, nanoseconds; uint64_t inode, size; int there; } Stamp;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the five below */
static Script script;
static Table table;
static Stamp script_stamp, table_stamp;
static int64_t looked_ns;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static Stamp stamp_of(const char *path) {
    struct stat status;
    if (stat(path, &status)) return (Stamp){0};
    return (Stamp){status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ino, (uint64_t)status.st_size, 1};
}

static int same_stamp(Stamp a, Stamp b) {
    return a.there == b.there && a.seconds == b.seconds && a.nanoseconds == b.nanoseconds && a.inode == b.inode &&
           a.size == b.size;
}

/* Return the whole file with a zero after it, which the caller frees; or NULL, with `problem` set. */
static char *read_file(const char *path, uint64_t most, size_t *size, char *problem) {
    struct stat status;
    int plain = !stat(path, &status) && S_ISREG(status.st_mode); /* opening a pipe would wait for its writer */
    FILE *file = plain ? fopen(path, "rb") : NULL;
    char *memory = NULL;
    if (!file || fstat(fileno(file), &status) || (uint64_t)status.st_size > most) {
        snprintf(problem, PROBLEM_SIZE, "%.100s: no plain file of at most %llu bytes", path, (unsigned long long)most);
    } else if ((memory = malloc((size_t)status.st_size + 1))) {
        *size = fread(memory, 1, (size_t)status.st_size, file);
        memory[*size] = 0;
    } else {
        snprintf(problem, PROBLEM_SIZE, "%.100s: no memory", path);
    }
    if (file) fclose(file);
    return memory;
}

/* Reports reach Python, which decodes them as UTF-8. */
static void make_printable(char *text) {
    for (; *text; text++)
        if (*text < ' ' || *text > '~') *text = '?';
}

static int read_name(const char *text, const char *const *names, int count, int *out) {
    for (int i = 0; i < count; i++)
        if (!strcmp(text, names[i])) return *out = i, 1;
    return 0;
}

static int read_number(const char *text, uint64_t most, uint64_t *out) {
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 12 || text[digits]) return 0;
    *out = strtoull(text, NULL, 10);
    return *out <= most;
}

static int read_devices(char *text, Script *into) {
    char *rest = NULL;
    into->devices = 0;
    if (!strcmp(text, "none")) return 1;
    for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        uint64_t index;
        int known = !strncmp(name, "usb:", 4) || !strncmp(name, "pci:", 4);
        if (!known || !read_number(name + 4, 99, &index) || into->devices == MAX_DEVICES) return 0;
        snprintf(into->device[into->devices++], NAME_SIZE, "%.4s%d", name, (int)index);
    }
    return into->devices > 0;
}

static int read_word(const char *key, char *value, Script *into) {
    if (!strcmp(key, "mode")) return read_name(value, MODE_NAMES, MODES, &into->mode);
    if (!strcmp(key, "at")) return read_name(value, AT_NAMES, 2, &into->at);
    if (!strcmp(key, "unknown")) return read_name(value, UNKNOWN_NAMES, 3, &into->unknown);
    if (!strcmp(key, "after")) return read_number(value, UINT32_MAX, &into->after);
    if (!strcmp(key, "time_us")) return read_number(value, 60000000, &into->time_us);
    if (!strcmp(key, "seconds")) return read_number(value, 86400, &into->seconds);
    if (!strcmp(key, "value")) return read_number(value, 255, &into->value);
    if (!strcmp(key, "plug")) return read_number(value, UINT32_MAX, &into->plug);
    if (!strcmp(key, "devices")) return read_devices(value, into);
    return 0;
}

static void read_script(const char *path, Script *into) {
    size_t size = 0;
    char *rest = NULL;
    *into = (Script){.devices = 1, .device = {"usb:0"}};
    char *text = read_file(path, MAX_SCRIPT, &size, into->problem);
    if (text && strlen(text) != size) snprintf(into->problem, PROBLEM_SIZE, "script: holds a zero byte");
    for (char *word = text ? strtok_r(text, " \t\n", &rest) : NULL; word; word = strtok_r(NULL, " \t\n", &rest)) {
        char shown[64], *equals = strchr(word, '=');
        snprintf(shown, sizeof shown, "%s", word);
        make_printable(shown);
        if (equals) *equals = 0;
        if (!equals || !read_word(word, equals + 1, into)) {
            snprintf(into->problem, PROBLEM_SIZE, "script: '%s': unknown key, or value out of range", shown);
            break;
        }
    }
    free(text);
}

static void read_table(const char *path, Table *into) {
    size_t size = 0;
    Header header;
    free(into->memory);
    *into = (Table){0};
    if (!stamp_of(path).there) return; /* no table: every input is unknown */
    char *memory = into->memory = read_file(path, MAX_TABLE, &size, into->problem);
    if (!memory) return;
    snprintf(into->problem, PROBLEM_SIZE, "answers.bin: not a table, or cut off");
    if (size < sizeof header) return;
    memcpy(&header, memory, sizeof header);
    if (memcmp(header.magic, MAGIC, sizeof MAGIC) || header.has_default > 1 || !header.answer_bytes) return;
    /* Each factor is bounded first, so that nothing below can overflow. */
    if (header.count > MAX_TABLE || header.answer_bytes > MAX_TABLE) return;
    uint64_t answers = (header.count + header.has_default) * header.answer_bytes;
    if (sizeof header + header.count * sizeof(uint64_t) + answers != size) return;
    into->count = header.count;
    into->answer_bytes = header.answer_bytes;
    into->hashes = (const uint64_t *)(const void *)(memory + sizeof header); /* malloc and 32 bytes: aligned */
    into->answers = memory + sizeof header + header.count * sizeof(uint64_t);
    into->fallback = header.has_default ? into->answers + header.count * header.answer_bytes : NULL;
    into->problem[0] = 0;
}

/* Read again what has changed; check at most every 10 ms unless `at_once`. Called with the lock held. */
static void refresh(int at_once) {
    int64_t now = now_ns();
    char path[4096];
    const char *folder = getenv("FIELDFARE_SOFTWARE_EDGETPU");
    if (!at_once && looked_ns && now - looked_ns < 10000000) return;
    looked_ns = now;
    if (!folder) {
        script = (Script){.problem = "FIELDFARE_SOFTWARE_EDGETPU names no folder"};
        script_stamp = (Stamp){0};
        return;
    }
    snprintf(path, sizeof path, "%s/script", folder);
    Stamp stamp = stamp_of(path);
    if (!stamp.there || !same_stamp(stamp, script_stamp)) read_script(path, &script);
    script_stamp = stamp;
    snprintf(path, sizeof path, "%s/answers.bin", folder);
    stamp = stamp_of(path);
    if (!same_stamp(stamp, table_stamp)) read_table(path, &table);
    table_stamp = stamp;
}

#endif
