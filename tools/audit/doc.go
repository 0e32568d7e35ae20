// Package audit keeps the audit log: one line of JSON per event, each chained
// to the one before by hashes, written by any number of processes at once.
//
// # Files
//
// Beside the log, audit.jsonl, stand the rotated files, audit-TIME.jsonl, and
// audit.jsonl.head: hash and number of the last line and the size of the log,
// rewritten in place after every line. The head is also what writers lock.
//
// # Chain
//
// Every line ends with
//
//	,"hash":"<64 hex digits>","prev":"<64 hex digits>"}
//
// where prev is the hash of the line before, in whatever file that stands, and
// 64 zeros in the very first line. hash is the SHA-256 of the line without its
// newline and without the member "hash":"…", (its comma goes too):
//
//	import hashlib, sys
//	prev = b"0" * 64
//	for name in sys.argv[1:]:                       # oldest first
//	    for line in open(name, "rb"):
//	        line = line.rstrip(b"\n")
//	        assert line[-66:-2] == prev, line       # follows the one before
//	        prev = line[-140:-76]
//	        rest = line[:-148] + line[-74:]
//	        assert hashlib.sha256(rest).hexdigest().encode() == prev, line
//
// So a line that is changed, taken out, put in or moved breaks the chain. A
// line that a kill or a full disk left unfinished stays where it is; the next
// writer ends it and writes a line of the event "repair" with its length and
// SHA-256. Lines that vanish from the end are missed by the head, and a writer
// goes on from the hash in the head: the gap stays visible for good.
//
// # What stays hidden
//
// There is no key in this. Who can write the log and its head can write a new
// log and the head that goes with it; against that helps only a copy
// elsewhere (the export), or a hash that was noted down. A line counts as
// written when the operating system has it: it outlives the process, while a
// power failure may cost the last seconds.
package audit
