/* What Rust cannot reach of httpd and APR: macros, variadic functions and inline code. */
#ifndef QOS_SHIM_H
#define QOS_SHIM_H

#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_connection.h"
#include "http_log.h"
#include "http_main.h"
#include "http_protocol.h"
#include "http_request.h"
#include "ap_listen.h"
#include "ap_mpm.h"
#include "mod_status.h"
#include "mpm_common.h"
#include "scoreboard.h"
#include "util_filter.h"
#include "apr_portable.h"
#include "apr_strings.h"

/* Whether a message of that level would be written. */
int qos_shim_server_logs(const server_rec *s, int level);
int qos_shim_request_logs(const request_rec *r, int level);

/* Writes a message of len bytes as it is (no format). */
void qos_shim_log_server(const server_rec *s, int level, const char *file, int line, const char *text, int len);
void qos_shim_log_request(const request_rec *r, int level, const char *file, int line, const char *text, int len);

/* Bytes of the buckets whose length is known; *eos says whether the brigade ends the body. */
apr_off_t qos_shim_brigade_bytes(apr_bucket_brigade *brigade, int *eos);
/* Whether no bucket holds data or ends the stream. */
int qos_shim_brigade_empty(apr_bucket_brigade *brigade);
/* Replaces the brigade by an error response and the end of the stream. */
void qos_shim_brigade_error(apr_bucket_brigade *brigade, int status, request_rec *r);

/* Walking a brigade: NULL behind the last bucket. */
apr_bucket *qos_shim_first_bucket(apr_bucket_brigade *brigade);
apr_bucket *qos_shim_next_bucket(apr_bucket_brigade *brigade, apr_bucket *bucket);
/* Whether a bucket holds data (and is no EOS, FLUSH or other mark). */
int qos_shim_bucket_has_data(const apr_bucket *bucket);
/* A bucket that is part of a file: its descriptor, where it begins and how long it is; -1 for any other bucket. */
int qos_shim_bucket_file(const apr_bucket *bucket, apr_off_t *start, apr_size_t *length);
/* The bytes of a bucket, which may split it; APR_EAGAIN without block while there are none yet. */
apr_status_t qos_shim_bucket_read(apr_bucket *bucket, const char **bytes, apr_size_t *length, int block);
/* Splits a bucket. */
apr_status_t qos_shim_bucket_split(apr_bucket *bucket, apr_size_t length);
/* Moves what begins with a bucket to a new brigade, and a brigade to the end of another. */
void qos_shim_split(apr_bucket_brigade *brigade, apr_bucket *bucket, apr_bucket_brigade *rest);
void qos_shim_append(apr_bucket_brigade *brigade, apr_bucket_brigade *rest);
/* Adds a mark that everything before it is to be sent. */
void qos_shim_add_flush(apr_bucket_brigade *brigade);

/* Adds bytes that stay where they are as long as the request lasts; who keeps them longer copies them. */
void qos_shim_add_bytes(apr_bucket_brigade *brigade, const char *bytes, apr_size_t length);
/* Adds the end of the stream. */
void qos_shim_add_eos(apr_bucket_brigade *brigade);
/* Whether the response has a head only, which may have been sent. */
int qos_shim_sent_head_only(request_rec *r);
/* Adds mod_deflate's filter that inflates the body of a request. */
void qos_shim_inflate(request_rec *r);

/* Whether a read has nothing yet. */
int qos_shim_again(apr_status_t status);
/* What a bucket is, as far as a response that is sent piece by piece must know. */
#define QOS_BUCKET_NONE 0 /* the end of the brigade */
#define QOS_BUCKET_DATA 1 /* bytes in memory */
#define QOS_BUCKET_FILE 2 /* bytes in a file */
#define QOS_BUCKET_UNKNOWN 3 /* has to be read before its length is known */
#define QOS_BUCKET_META 4
#define QOS_BUCKET_FLUSH 5
#define QOS_BUCKET_EOS 6 /* the response ends */
#define QOS_BUCKET_EOR 7 /* the request ends: it is logged when the bucket is destroyed */
/* The first bucket of a brigade: its kind, and its length if that is known. */
int qos_shim_first_kind(apr_bucket_brigade *brigade, apr_size_t *length);
/* Bytes in memory, and in all buckets; *kinds gets a bit (1 << kind) for each kind of bucket. */
apr_off_t qos_shim_brigade_content(apr_bucket_brigade *brigade, apr_off_t *all, unsigned *kinds);
/* Reads the first bucket, so that its length is known and what is left of it becomes the second one. */
apr_status_t qos_shim_read_first(apr_bucket_brigade *brigade, int wait);
/* Moves at most that many bytes of the first bucket, or the whole bucket of metadata, to the end of another brigade. */
apr_status_t qos_shim_move_first(apr_bucket_brigade *from, apr_bucket_brigade *to, apr_size_t length);
/* An empty brigade of the connection; lives as long as the pool. */
apr_bucket_brigade *qos_shim_brigade(apr_pool_t *pool, conn_rec *c);

/* Whether connections of this MPM can wait for something without a worker and come back to process_connection. */
int qos_shim_mpm_can_wait(void);
/* Whether the connection is one of those, and processed so that it comes back. */
int qos_shim_can_wait(const conn_rec *c);
/* What process_connection leaves to the MPM: to wait until the socket can be read (or written), to finish the response, or to close. */
#define QOS_LEAVE_READ 0
#define QOS_LEAVE_WRITE 1
#define QOS_LEAVE_WRITTEN 2
#define QOS_LEAVE_CLOSE 3
void qos_shim_leave(conn_rec *c, int what);
/* Whether process_connection left a response to the MPM that is to be finished. */
int qos_shim_is_written(const conn_rec *c);
/* Whether the connection is about to wait for its socket. */
int qos_shim_is_waiting(const conn_rec *c);
/* The descriptor of the connection's socket, and another one in its place. */
int qos_shim_connection_fd(conn_rec *c);
void qos_shim_set_connection_fd(conn_rec *c, int fd);
/* Sets the abort flag: nothing more is sent. */
void qos_shim_set_aborted(conn_rec *c);
/* The scoreboard shows that the connection's worker writes. */
void qos_shim_busy_writing(conn_rec *c);

/* The descriptor of what pre_connection gets as its second argument, -1 without one. */
int qos_shim_socket_fd(void *socket);
/* Raw bytes of an address; the number of them (4, 16) or 0 for another family. */
int qos_shim_address(const apr_sockaddr_t *address, unsigned char *bytes);

/* Sends what earlier requests of the connection left in its output filters; those requests end with it. */
void qos_shim_flush_earlier(request_rec *r);

/* Whether the connection is aborted (a bit field). */
int qos_shim_aborted(const conn_rec *c);

/* A variable of mod_ssl, NULL without mod_ssl. */
const char *qos_shim_ssl_variable(request_rec *r, const char *name);

/* Name, value of the n-th entry of a table; 0 beyond its end. */
int qos_shim_table_entry(const apr_table_t *table, int n, const char **key, const char **value);

/* Offers other modules what mod_parp offers them. */
void qos_shim_offer_parameters(apr_table_t *(*table)(request_rec *r), const char *(*data)(request_rec *r, apr_size_t *length));

/* Whether a module takes part in decoding (include/mod_qos_hooks.h), and what its functions make of a text. */
int qos_shim_has_decode_hooks(void);
void qos_shim_decode_path(request_rec *r, char **text, int *length);
void qos_shim_decode_query(request_rec *r, char **text, int *length);

/* Adds a section to the reports of mod_status, where that is loaded. */
void qos_shim_hook_status(int (*section)(request_rec *r, int flags));

#endif
