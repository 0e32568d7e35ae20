// Package audit keeps the audit log: one line of JSON per event, chained by
// hashes, written by any number of processes at once.
package audit
