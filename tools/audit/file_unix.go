//go:build !windows

package audit

import (
	"os"
	"syscall"
)

// open opens a file, never through a symbolic link.
func open(name string, flag int) (*os.File, error) {
	return os.OpenFile(name, flag|syscall.O_NOFOLLOW, 0o600)
}

// tryLock takes the lock on f without waiting; errBusy: another has it.
func tryLock(fd uintptr, exclusive bool) error {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	err := syscall.Flock(int(fd), how|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK || err == syscall.EINTR {
		return errBusy
	}
	return err
}

func unlock(fd uintptr) { _ = syscall.Flock(int(fd), syscall.LOCK_UN) }

func isLink(err error) bool { return err == syscall.ELOOP || err == syscall.EMLINK }

func isFull(err error) bool { return err == syscall.ENOSPC || err == syscall.EDQUOT }

func isReadOnly(err error) bool { return err == syscall.EROFS }
