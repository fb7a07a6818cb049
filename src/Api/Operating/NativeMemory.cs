using System.Runtime.InteropServices;

namespace WebhookService.Api.Operating;

/// <summary>Memory beside .NET's: the pages that SQLite remembers, and what the compiler works in.</summary>
internal static class NativeMemory
{
    private const int MostArenas = -8; // M_ARENA_MAX of glibc's malloc.h

    /// <summary>
    /// Has all threads of the process share a few arenas, which are where glibc takes memory from. By itself it makes up to eight for each processor. What threads give back stays with
    /// their arena, and the thread that compiles methods, which ends when there are none and comes again later, left some 8 MB in each one it had. Does nothing where the C library
    /// is not glibc. To be called before there are many threads.
    /// </summary>
    public static void ShareArenas()
    {
        if (OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out var library) && NativeLibrary.TryGetExport(library, "mallopt", out var function))
            _ = Marshal.GetDelegateForFunctionPointer<SetOption>(function)(MostArenas, 2);
    }

    private delegate int SetOption(int what, int value);
}
