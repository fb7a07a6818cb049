using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace WebhookService.Bench;

/// <summary>Whether a file is in the system's memory or on the disk only: what makes a start cold or warm.</summary>
internal static partial class FileCache
{
    private const int DontNeed = 4; // POSIX_FADV_DONTNEED on Linux

    /// <summary>Writes the file out and takes it out of memory. Elsewhere than on Linux it stays where it is.</summary>
    public static bool Drop(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Flush(flushToDisk: true);
        return OperatingSystem.IsLinux() && Advise(file.SafeFileHandle, 0, 0, DontNeed) == 0;
    }

    /// <summary>Reads the file once, so that as much of it as fits is in memory.</summary>
    public static async Task WarmAsync(string path, CancellationToken cancellation)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1 << 20, useAsync: true);
        await file.CopyToAsync(Stream.Null, 1 << 20, cancellation);
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);
}
