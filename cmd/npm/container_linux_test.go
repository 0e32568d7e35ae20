package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/sys/unix"
)

// container is how the Dockerfile's image is run: its file system is the binary and
// nothing else, read-only but for the volume, as the user that it names.
type container struct {
	Root       string // directory on the host
	Volume     string // directory on the host; "" for none
	VolumePath string // in the container
	User       int
	Env        []string
	Entrypoint []string
}

const inContainer = "BRICKMCP_TEST_CONTAINER"

// enterContainer is what the test binary does first in the new namespaces. It
// returns only when something is wrong.
func enterContainer(spec string) error {
	var c container
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount(c.Root, c.Root, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if c.Volume != "" {
		if err := unix.Mount(c.Volume, filepath.Join(c.Root, c.VolumePath), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
	}
	var root unix.Statfs_t
	if err := unix.Statfs(c.Root, &root); err != nil {
		return err
	}
	kept := uintptr(root.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC) // a user namespace may not drop them
	if err := unix.Mount("", c.Root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|kept, ""); err != nil {
		return fmt.Errorf("read-only: %w", err)
	}
	if err := errors.Join(unix.Chroot(c.Root), unix.Chdir("/"), unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.WriteFile("/probe", nil, 0o600); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("the root is not read-only: %w", err)
	}
	if os.Getuid() != c.User {
		return fmt.Errorf("user %d, not %d", os.Getuid(), c.User)
	}
	return syscall.Exec(c.Entrypoint[0], append(c.Entrypoint, os.Args[1:]...), c.Env)
}

// command starts the container in namespaces of its own.
func (c container) command(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, arguments...)
	cmd.Env = []string{inContainer + "=" + string(spec)}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: c.User, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: c.User, HostID: os.Getgid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT},
	}
	return cmd
}

// The image as the Dockerfile describes it must serve, with a read-only root and as
// a user without rights: with a volume it writes the audit log there, without one it
// still answers what only reads.
func TestContainer(t *testing.T) {
	packages := buildPackages(t)
	said := dockerfile(t, "base", "")
	var c container
	var volumes []string
	if err := errors.Join(json.Unmarshal([]byte(said["ENTRYPOINT"][0]), &c.Entrypoint), json.Unmarshal([]byte(said["VOLUME"][0]), &volumes)); err != nil {
		t.Fatal(err)
	}
	user, group, _ := strings.Cut(said["USER"][0], ":")
	var err error
	if c.User, err = strconv.Atoi(user); err != nil || group != user || c.User == 0 { // a number: runAsNonRoot in Kubernetes cannot look up names
		t.Fatalf("USER %s", said["USER"])
	}
	c.Env, c.VolumePath = strings.Fields(said["ENV"][0]), volumes[0]
	for _, label := range []string{"io.modelcontextprotocol.server.name=" + strconv.Quote(registryName), "image.description=" + strconv.Quote(description)} {
		if !strings.Contains(said["LABEL"][0], label) {
			t.Errorf("there is no label %s", label)
		}
	}
	copied := strings.Fields(said["COPY"][0])
	c.Root = t.TempDir()
	program := filepath.Join(c.Root, copied[len(copied)-1])
	binary, err := os.ReadFile(filepath.Join(built.dir, "bin", built.host.String(), built.host.binary()))
	if err := errors.Join(err, os.MkdirAll(filepath.Dir(program), 0o755), os.WriteFile(program, binary, 0o755), os.MkdirAll(filepath.Join(c.Root, c.VolumePath), 0o755)); err != nil {
		t.Fatal(err)
	}

	out, err := c.command(t, "version").CombinedOutput()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSPC) || strings.HasPrefix(string(out), "private mounts:") {
		t.Skipf("namespaces are not allowed here: %v %s", err, out)
	}
	if err != nil || !strings.HasPrefix(string(out), "brickmcp "+packages[name].Version) {
		t.Fatalf("version: %v\n%s", err, out)
	}
	for _, volume := range []string{t.TempDir(), ""} {
		c.Volume = volume
		cmd := c.command(t, "--sandbox", "--log-level", "error")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		session, err := mcp.NewClient(&mcp.Implementation{Name: "container-test", Version: "1"}, nil).
			Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
		if err != nil {
			t.Fatalf("connect: %v\n%s", err, &stderr)
		}
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "jobs_list", Arguments: map[string]any{"limit": 1}})
		if err != nil || result.IsError {
			t.Errorf("volume %q: jobs_list: %+v, %v\n%s", volume, result, err, &stderr)
		}
		if err := session.Close(); err != nil {
			t.Errorf("volume %q: close: %v\n%s", volume, err, &stderr)
		}
		if volume == "" {
			continue
		}
		if log, err := os.ReadFile(filepath.Join(volume, name, "audit.jsonl")); err != nil || !strings.Contains(string(log), "jobs_list") {
			t.Errorf("the audit log in the volume: %v, %.300s", err, log)
		}
	}
}
