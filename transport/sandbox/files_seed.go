package sandbox

import (
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

func volumeID(name string) string { return stableUUID(kindVolume + " " + name) }

// seedVolume makes the files that a volume starts with; none for one that was
// made later.
func (f *files) seedVolume(volume string) *tree[stored] {
	t := newTree[stored]()
	add := func(path string, c content, at time.Time) {
		dir, name := dirBase(path)
		parent, _ := t.mkdirs(dir, func(n *node[stored]) { n.value.modified = at }) // no file stands above a seeded one
		parent.put(name, stored{c, at})
	}
	text := func(path, s string, at time.Time) { add(path, f.blobs.bytes([]byte(s)), at) }
	switch volume {
	case volumeID("main.retail.landing"):
		text("/README.md", landingReadme, seeded.AddDate(0, -6, 0))
		for back := range 7 {
			text("/orders/"+dayBack(back)+".csv", landingOrders(back), seeded.AddDate(0, 0, -back).Add(-4*time.Hour))
		}
		text("/customers/customers.json", jsonLines(seedColumnNames("main.retail.customers"), customerRows(), 200), seeded.Add(-5*time.Hour))
		text("/customers/_SUCCESS", "", seeded.Add(-5*time.Hour))
		add("/clickstream/"+dayBack(0)+".jsonl", &generated{clickLines * clickWidth, fillClicks}, seeded.Add(-3*time.Hour))
	case volumeID("main.retail.exports"):
		text("/stores.csv", csvText(seedColumnNames("main.retail.stores"), storeRows()), seeded.AddDate(0, 0, -2))
		text("/2025/q2/notes.txt", "Numbers of the quarter are exported here on the first working day of the next one.\n", seeded.AddDate(0, 0, -9))
	case volumeID("main.hr.documents"):
		text("/contract_template.txt", "Employment contract between the company and ...\n", seeded.AddDate(-1, 0, 0))
	case volumeID("samples.bench.files"):
		for _, n := range []int64{1, 64, 1024} {
			add(fmt.Sprintf("/%dMiB.bin", n), noise(n<<20), seeded)
		}
	}
	return t
}

const landingReadme = `# Landing volume

Files as the shops send them, one CSV a day below orders/. The job nightly_sales_ingest
loads them into main.staging.orders_raw, checks them and merges them into
main.retail.orders.

- orders/YYYY-MM-DD.csv: order_id, customer_id, order_date, total_amount
- customers/customers.json: JSON lines, full export every night
- clickstream/YYYY-MM-DD.jsonl: sampled events of the web shop
`

// landingOrders is the file of one day; that of the last day has amounts that
// the nightly job cannot read.
func landingOrders(back int) string {
	return csvText([]string{"order_id", "customer_id", "order_date", "total_amount"}, func(yield func([]any) bool) {
		for row := range rawOrderRows() {
			if row[2] == dayBack(back) && !yield(row[:4]) {
				return
			}
		}
	})
}

func seedColumnNames(table string) []string {
	for _, s := range seedSchemas {
		for _, t := range s.tables {
			if s.catalog+"."+s.name+"."+t.name == table {
				return columnNames(seedColumns(t.columns))
			}
		}
	}
	return nil
}

func csvText(header []string, rows iter.Seq[[]any]) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(header) // to memory: cannot fail
	for row := range rows {
		cells := make([]string, len(row))
		for i, v := range row {
			if v != nil {
				cells[i] = fmt.Sprint(v)
			}
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return b.String()
}

func jsonLines(keys []string, rows iter.Seq[[]any], n int) string {
	var b strings.Builder
	for row := range rows {
		if n--; n < 0 {
			break
		}
		o := make(map[string]any, len(keys))
		for i, key := range keys {
			o[key] = row[i]
		}
		line, _ := json.Marshal(o) // of plain values: cannot fail
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

const (
	clickLines = 65536
	clickWidth = 100 // bytes a line, newline included
)

// fillClicks computes JSON lines of equal length: 6.5 MB that are never stored.
func fillClicks(p []byte, off int64) {
	for len(p) > 0 {
		i := off / clickWidth
		line := fmt.Sprintf(`{"event":"%08x","minute":%d,"page":"/p/%d","type":"view"}`, uint32(i)*2654435761, i*1440/clickLines, i%productCount+1)
		line += strings.Repeat(" ", clickWidth-1-len(line)) + "\n"
		n := copy(p, line[off%clickWidth:])
		p, off = p[n:], off+int64(n)
	}
}

// noise is a file of n bytes that no compression shortens.
func noise(n int64) content {
	return &generated{n, func(p []byte, off int64) {
		var word [8]byte
		for len(p) > 0 {
			x := uint64(off/8) + 0x9e3779b97f4a7c15
			x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
			x = (x ^ x>>27) * 0x94d049bb133111eb
			if x ^= x >> 31; off%8 == 0 && len(p) >= 8 {
				binary.LittleEndian.PutUint64(p, x)
				p, off = p[8:], off+8
				continue
			}
			binary.LittleEndian.PutUint64(word[:], x)
			n := copy(p, word[off%8:])
			p, off = p[n:], off+int64(n)
		}
	}}
}

// benchFile makes up any <N>MiB.bin of the bench volume.
func benchFile(p place) (stored, bool) {
	digits, ok := strings.CutSuffix(strings.TrimPrefix(p.within, "/"), "MiB.bin")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || n > 10240 || digits != strconv.FormatInt(n, 10) || p.volume != volumeID("samples.bench.files") {
		return stored{}, false
	}
	return stored{noise(n << 20), seeded}, true
}
