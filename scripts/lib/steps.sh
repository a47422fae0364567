# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Copyright The vhost-device-gpu authors
#
# Running test programs and adding up what they say. Each step writes one line "NAME PASSED FAILED
# SKIPPED" to a file, so that steps may run side by side; the sum is taken at the end.

RESULTS=

steps_begin() {
	RESULTS=$(mktemp)
}

# record NAME PASSED FAILED SKIPPED LOG: adds a result and says it; the log's end if it failed.
record() {
	local name=$1 passed=$2 failed=$3 skipped=$4 log=$5
	echo "$name $passed $failed $skipped" >>"$RESULTS"
	{
		printf '%s  %-28s %4d passed, %d failed, %d skipped  (%s)\n' \
			"$(date +%T)" "$name" "$passed" "$failed" "$skipped" "${log#"$ROOT"/}"
		if [ "$failed" -gt 0 ]; then
			tail -n "${FAILURE_LINES:-60}" "$log" | cut -c 1-180 | sed 's/^/    | /'
		fi
	} | cat # one write, so that lines of steps side by side do not mix
}

# Prints the number that stands before WORD in the log's last line, 0 if there is none.
number_before() {
	local word=$1 log=$2 number
	number=$(tail -n 1 "$log" | grep -oE "[0-9]+ $word" | tail -n 1 | cut -d' ' -f1)
	echo "${number:-0}"
}

# check NAME LOG COMMAND...: a step that passes or fails as a whole.
check() {
	local name=$1 log=$2
	shift 2
	mkdir -p "$(dirname "$log")"
	if "$@" >"$log" 2>&1 </dev/null; then
		record "$name" 1 0 0 "$log"
	else
		record "$name" 0 1 0 "$log"
		return 1
	fi
}

# run_meson_tests NAME BUILD: each unit that `meson test` counts.
run_meson_tests() {
	local name=$1 build=$2 log=$2/logs/meson-test.log status=0 passed failed skipped word
	meson test -C "$build" --no-rebuild --print-errorlogs --suite unit >"$log" 2>&1 </dev/null || status=$?
	passed=$(meson_count Ok "$log")
	skipped=$(meson_count Skipped "$log")
	failed=0
	for word in Fail 'Unexpected Pass' Timeout; do
		failed=$((failed + $(meson_count "$word" "$log")))
	done
	# A run that says nothing, or fails without a failed test, is a failure too.
	if [ $((passed + failed)) -eq 0 ] || { [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; }; then
		failed=$((failed + 1))
	fi
	record "$name" "$passed" "$failed" "$skipped" "$log"
}

meson_count() {
	local number
	number=$(sed -n "s/^$1: *\([0-9]*\) *$/\1/p" "$2" | tail -n 1)
	echo "${number:-0}"
}

# run_pytest NAME LOG ARGUMENTS...: each test that pytest counts. PYTHON is the interpreter.
run_pytest() {
	local name=$1 log=$2
	shift 2
	run_counted "$name" "$log" "$PYTHON" -B -m pytest -p no:cacheprovider -ra "$@"
}

# run_counted NAME LOG COMMAND...: each test that a command counts, which ends as pytest does.
run_counted() {
	local name=$1 log=$2 status=0 passed failed skipped
	shift 2
	mkdir -p "$(dirname "$log")"
	# In CI, pytest would print whole values, however long, in its summary.
	(
		unset CI
		"$@"
	) >"$log" 2>&1 </dev/null || status=$?
	passed=$(number_before passed "$log")
	skipped=$(number_before skipped "$log")
	failed=$(($(number_before failed "$log") + $(number_before error "$log")))
	if [ $((passed + failed + skipped)) -eq 0 ] || { [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; }; then
		failed=$((failed + 1))
	fi
	record "$name" "$passed" "$failed" "$skipped" "$log"
}

# Prints the sum as the last line. Fails unless something passed and nothing failed.
steps_end() {
	local name p f s passed=0 failed=0 skipped=0
	while read -r name p f s; do
		passed=$((passed + p))
		failed=$((failed + f))
		skipped=$((skipped + s))
	done <"$RESULTS"
	say "Result"
	awk '$3 > 0 { printf "   failed in: %s (%d)\n", $1, $3 }' "$RESULTS"
	rm -f "$RESULTS"
	printf '%d passed, %d failed' "$passed" "$failed"
	[ "$skipped" -eq 0 ] || printf ', %d skipped' "$skipped"
	printf '\n'
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
