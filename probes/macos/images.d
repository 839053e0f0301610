/*
 * dyld tells debuggers of images that come (0) and go (1) by calling a function of its own that does nothing:
 * lldb_image_notifier(mode, count, images). D has no loops: there is a clause like this for each place in the list.
 * An image has 24 bytes, of which the first eight are where its header is, and the next eight where its path is.
 */
pid$target:dyld:?ldb_image_notifier:entry
/(uint32_t)arg0 < 2 && (uint32_t)arg1 > $$PLACE/
{
	printf("i\t%d\t%d\t%d\t%d\t%d\t%x\t%s\n", timestamp, pid, (uint32_t)arg0, $$PLACE, (uint32_t)arg1,
	    *(uint64_t *)copyin(arg2 + 24 * $$PLACE, 8),
	    copyinstr(*(uint64_t *)copyin(arg2 + 24 * $$PLACE + 8, 8)));
}
