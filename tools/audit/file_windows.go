package audit

import (
	"os"

	"golang.org/x/sys/windows"
)

// open opens a file, never through a symbolic link. Other than os.OpenFile it
// lets others rename the file meanwhile, which rotation needs.
func open(name string, flag int) (*os.File, error) {
	fail := func(err error) (*os.File, error) { return nil, &os.PathError{Op: "open", Path: name, Err: err} }
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return fail(err)
	}
	access := uint32(windows.GENERIC_READ)
	switch {
	case flag&os.O_APPEND != 0:
		access |= windows.FILE_APPEND_DATA
	case flag&os.O_RDWR != 0:
		access |= windows.GENERIC_WRITE
	}
	how := uint32(windows.OPEN_EXISTING)
	switch {
	case flag&os.O_EXCL != 0:
		how = windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		how = windows.OPEN_ALWAYS
	}
	handle, err := windows.CreateFile(path, access, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, how,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return fail(err)
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(handle, &info); err != nil || info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 {
		_ = windows.CloseHandle(handle)
		if err == nil {
			err = errLink
		}
		return fail(err)
	}
	return os.NewFile(uintptr(handle), name), nil
}

// The byte that is locked lies far behind the end of the file: a locked byte
// cannot be read by others.
const lockOffset = 1

func tryLock(fd uintptr, exclusive bool) error {
	how := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		how |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(fd), how, 0, 1, 0, &windows.Overlapped{OffsetHigh: lockOffset})
	if err == windows.ERROR_LOCK_VIOLATION || err == windows.ERROR_IO_PENDING {
		return errBusy
	}
	return err
}

func unlock(fd uintptr) {
	_ = windows.UnlockFileEx(windows.Handle(fd), 0, 1, 0, &windows.Overlapped{OffsetHigh: lockOffset})
}

func isLink(err error) bool { return err == errLink }

func isFull(err error) bool {
	return err == windows.ERROR_DISK_FULL || err == windows.ERROR_HANDLE_DISK_FULL
}

func isReadOnly(err error) bool { return err == windows.ERROR_WRITE_PROTECT }
