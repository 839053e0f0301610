/* For machines that gotrace has no audit library for: ld.so would complain on stderr of a library
 * that is not there, or is for another machine, and says nothing of one that does not want to be
 * used. */
unsigned int la_version(unsigned int version);

unsigned int la_version(unsigned int version)
{
    (void)version;
    return 0;
}
