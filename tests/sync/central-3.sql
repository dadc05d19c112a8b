BEGIN TRANSACTION;
CREATE TABLE alarm (
	id INTEGER NOT NULL, 
	device VARCHAR(63) NOT NULL, 
	sequence BIGINT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	evidence TEXT NOT NULL, 
	raised_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "alarm" VALUES(1,'north-gate-1',2,'fork','{"clocktrusted":true,"data_base64":"Glr9OvWb2K9A1A8lhrkagV+wh2FI9g4J76qfU/97WDOuFbg59Z29iBE2tHJjNwlt/V8PSIHNC7ueTu5HWVHixiDUiabuhkKn8ZsBQtJJZP/kFBKjZAo/uufI7nIlU29GIpi51l2/DEzNLP157NNPW28NZonUbgFcPdatTMtdbxwxDwGOnLzd6N3Je7mTWL9f","datacontenttype":"application/json","id":"2","previous":"0e6afd94f49ce6ca2cb22b11c6f51c9a5ee1088d8b2a31300ab999af39c48027","source":"urn:campusgate:device:north-gate-1","specversion":"1.0","time":"2026-11-03T07:30:00.000Z","type":"campusgate.scan.v1"}','2026-11-25T00:02:03.003+00:00');
CREATE TABLE claim (
	digest VARCHAR(64) NOT NULL, 
	subject VARCHAR(64) NOT NULL, 
	expires_at BIGINT NOT NULL, 
	used_at BIGINT, 
	used_key VARCHAR(66) NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE device (
	name VARCHAR(63) NOT NULL, 
	public_key TEXT NOT NULL, 
	through BIGINT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "device" VALUES('north-gate-1','-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAlCky/Cl8DjtS4AWmjhKxbtbqZ1AxlT+rIHwsLdG0Vug=
-----END PUBLIC KEY-----
',3,'4f6f706b74761e6f1e98da15a41f5d0c7da29e62fd88168bc8aa26ca269967b9');
CREATE TABLE device_trust (
	name VARCHAR(63) NOT NULL, 
	rotate BOOLEAN NOT NULL, 
	next_key TEXT NOT NULL, 
	revoked_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (name), 
	FOREIGN KEY(name) REFERENCES device (name)
);
CREATE TABLE meta (
	name VARCHAR(32) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('schema_version','3');
INSERT INTO "meta" VALUES('people_changes','1');
CREATE TABLE person (
	subject VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	phone_key VARCHAR(66) NOT NULL, 
	PRIMARY KEY (subject)
);
INSERT INTO "person" VALUES('S1','张伟','student','active','');
CREATE TABLE person_absence (
	subject VARCHAR(64) NOT NULL, 
	starts_at BIGINT NOT NULL, 
	ends_at BIGINT NOT NULL, 
	make_up_until BIGINT NOT NULL, 
	PRIMARY KEY (subject, starts_at, ends_at)
);
CREATE TABLE person_change (
	subject VARCHAR(64) NOT NULL, 
	change BIGINT NOT NULL, 
	PRIMARY KEY (subject)
);
INSERT INTO "person_change" VALUES('S1',1);
CREATE TABLE person_declaration (
	subject VARCHAR(64) NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	decidegrees INTEGER, 
	symptoms INTEGER NOT NULL, 
	contact BOOLEAN NOT NULL, 
	PRIMARY KEY (subject)
);
CREATE TABLE person_group (
	subject VARCHAR(64) NOT NULL, 
	name VARCHAR(63) NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY (subject, name)
);
CREATE TABLE person_validity (
	subject VARCHAR(64) NOT NULL, 
	valid_from BIGINT, 
	valid_until BIGINT, 
	PRIMARY KEY (subject)
);
CREATE TABLE record (
	id INTEGER NOT NULL, 
	device VARCHAR(63) NOT NULL, 
	sequence BIGINT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	event TEXT NOT NULL, 
	received_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (device, sequence), 
	FOREIGN KEY(device) REFERENCES device (name)
);
INSERT INTO "record" VALUES(1,'north-gate-1',1,'0e6afd94f49ce6ca2cb22b11c6f51c9a5ee1088d8b2a31300ab999af39c48027','{"clocktrusted":true,"data_base64":"hbyrk0oFz3/okK9Ii0d/ML1NcRpGs54gdmOBwSkBWFi9cT+5Ci4sSjKQFUI8YDVlu8hYMB7gOCCWGiEVV48A2FP5JtewJRnQWjCcp2IKovHprJs6u0rTVSWtExWCPEiH6v8RHRI4FNgcKn4XkIF14+EQjjec6vOsn8gN+cNSanHgg16nNu6E/C1e","datacontenttype":"application/json","id":"1","previous":"0000000000000000000000000000000000000000000000000000000000000000","source":"urn:campusgate:device:north-gate-1","specversion":"1.0","time":"2026-11-03T07:30:00.000Z","type":"campusgate.scan.v1"}','2026-11-25T00:02:02.994+00:00');
INSERT INTO "record" VALUES(2,'north-gate-1',2,'b72880c05016ca1c91022c00e61d0ca3fdda97b3eaa25a4ee560f97ee7092eee','{"clocktrusted":true,"data_base64":"s0Hviv1Tgw0q7W/6H8wiBt6wUI5y6iC2Y9Z1hcwYiWgRndTq8L6IXJh7TU2E6lf/ytJGVAgytdh0ogK1CAK6OBC2NGwcKzA0+YaFeMrT5CDdvhMo+Dc+sJXuapRNvSQh5H0ZO2RQICgRw+2huHgqTKlfBiDTL4r3Iu2oY+JskKopUfETKZEWLmCb","datacontenttype":"application/json","id":"2","previous":"0e6afd94f49ce6ca2cb22b11c6f51c9a5ee1088d8b2a31300ab999af39c48027","source":"urn:campusgate:device:north-gate-1","specversion":"1.0","time":"2026-11-03T07:30:00.000Z","type":"campusgate.scan.v1"}','2026-11-25T00:02:02.994+00:00');
INSERT INTO "record" VALUES(3,'north-gate-1',3,'4f6f706b74761e6f1e98da15a41f5d0c7da29e62fd88168bc8aa26ca269967b9','{"clocktrusted":true,"data_base64":"nmu98wrHOhyVrrhchLDBpSsk5A55iaJAmw63ttjtYGcG7m6136TLwyInizkaF16Oxkij27OI2pfV3BkdA8CvS1HNbq+TIUOiy25H7xb/0DsSL8tRhCnAsrRzBbJf+iBd6IUptBqZk/xwxVhpgjxXyqWE1XosPfXQpKzDOw/YtL1K4/y3Uk+qxtZL","datacontenttype":"application/json","id":"3","previous":"b72880c05016ca1c91022c00e61d0ca3fdda97b3eaa25a4ee560f97ee7092eee","source":"urn:campusgate:device:north-gate-1","specversion":"1.0","time":"2026-11-03T07:30:00.000Z","type":"campusgate.scan.v1"}','2026-11-25T00:02:02.994+00:00');
CREATE INDEX ix_claim_subject ON claim (subject);
COMMIT;
