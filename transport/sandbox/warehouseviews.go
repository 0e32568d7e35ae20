package sandbox

import "time"

func ptr[T any](v T) *T { return &v }

func warehouseDefaults() warehouseSettings {
	return warehouseSettings{
		Name: ptr(""), ClusterSize: ptr(""), MinClusters: ptr[int64](1), AutoStopMins: ptr[int64](120),
		Type: ptr("CLASSIC"), Serverless: ptr(false), Photon: ptr(true), SpotPolicy: ptr("COST_OPTIMIZED"),
	}
}

// over is s with what it leaves out taken from base.
func (s warehouseSettings) over(base warehouseSettings) warehouseSettings {
	keep(&s.Name, base.Name)
	keep(&s.ClusterSize, base.ClusterSize)
	keep(&s.MinClusters, base.MinClusters)
	keep(&s.MaxClusters, base.MaxClusters)
	keep(&s.MaxClusters, s.MinClusters) // the default maximum is the minimum
	keep(&s.AutoStopMins, base.AutoStopMins)
	keep(&s.Type, base.Type)
	keep(&s.Serverless, base.Serverless)
	keep(&s.Photon, base.Photon)
	keep(&s.SpotPolicy, base.SpotPolicy)
	keep(&s.InstanceProfileARN, base.InstanceProfileARN)
	if s.Channel == nil {
		s.Channel = base.Channel
	}
	if s.Tags == nil {
		s.Tags = base.Tags
	}
	return s
}

func keep[T any](given **T, base *T) {
	if *given == nil {
		*given = base
	}
}

// view is the warehouse object of get and list (contract sql.md, section 1.7).
func (wh *warehouse) view(r *request) object {
	s := wh.settings
	host := r.Host
	path := "/sql/1.0/warehouses/" + wh.id
	o := object{
		"id": wh.id, "name": *s.Name, "state": wh.state, "cluster_size": *s.ClusterSize, "size": *s.ClusterSize,
		"min_num_clusters": *s.MinClusters, "max_num_clusters": *s.MaxClusters, "auto_stop_mins": *s.AutoStopMins,
		"warehouse_type": *s.Type, "enable_serverless_compute": *s.Serverless, "enable_photon": *s.Photon,
		"spot_instance_policy": *s.SpotPolicy, "creator_name": wh.creator, "num_active_sessions": 0, "num_clusters": 0,
		"jdbc_url":    "jdbc:spark://" + host + ":443/default;transportMode=http;ssl=1;AuthMech=3;httpPath=" + path + ";",
		"odbc_params": object{"hostname": host, "path": path, "port": 443, "protocol": "https"},
	}
	if wh.state == "RUNNING" {
		o["num_clusters"] = *s.MinClusters
		o["health"] = object{"status": "HEALTHY"}
	}
	if s.Channel != nil {
		o["channel"] = s.Channel
	}
	if s.Tags != nil {
		o["tags"] = s.Tags
	}
	if s.InstanceProfileARN != nil {
		o["instance_profile_arn"] = *s.InstanceProfileARN
	}
	return o
}

// The seeded warehouses: what a statement without a preference runs on, a
// stopped classic one, and one that analysts cannot see.
func (ws *warehouses) seed(now time.Time) {
	tag := func(key, value string) object {
		return object{"custom_tags": []object{{"key": key, "value": value}}}
	}
	shared := ws.add(warehouseSettings{
		Name: ptr("Shared Serverless"), ClusterSize: ptr("Small"), MaxClusters: ptr[int64](4), AutoStopMins: ptr[int64](60),
		Type: ptr("PRO"), Serverless: ptr(true), Channel: object{"name": "CHANNEL_NAME_CURRENT"}, Tags: tag("team", "data-platform"),
	}.over(warehouseDefaults()), "ana@example.com")
	shared.acl["users"] = "CAN_USE"
	shared.enter("RUNNING", now.Add(-5*time.Hour))
	shared.used = now

	finance := ws.add(warehouseSettings{
		Name: ptr("Finance Reporting"), ClusterSize: ptr("2X-Small"), AutoStopMins: ptr[int64](30), Tags: tag("cost_center", "finance"),
	}.over(warehouseDefaults()), "carla@example.com")
	finance.acl["analysts"] = "CAN_USE"
	finance.enter("STOPPED", now.Add(-26*time.Hour))

	etl := ws.add(warehouseSettings{
		Name: ptr("ETL Pro"), ClusterSize: ptr("Medium"), MaxClusters: ptr[int64](2), AutoStopMins: ptr[int64](45), Type: ptr("PRO"),
		SpotPolicy: ptr("RELIABILITY_OPTIMIZED"), Channel: object{"name": "CHANNEL_NAME_PREVIEW"}, Tags: tag("team", "data-engineering"),
	}.over(warehouseDefaults()), ClientID)
	etl.acl["data-engineers"] = "CAN_MANAGE"
	etl.enter("STOPPED", now.Add(-9*time.Hour))
}
